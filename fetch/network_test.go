package fetch_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"ream/fault"
	"ream/fetch"
)

func TestParseNetworks(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"all", "none", "10.0.0.0/8", "10.1.2.3", "10.1.2.3/8, fd00::/8,::1"} {
		if _, err := fetch.ParseNetworks(good); err != nil {
			t.Errorf("ParseNetworks(%q): %v", good, err)
		}
	}
	for _, bad := range []string{"", "some", "all,none", "10.0.0.0/33", "10.0.0.0/8,", "10.0.0.0/8;11.0.0.0/8", "fe80::1%eth0", "localhost"} {
		if _, err := fetch.ParseNetworks(bad); err == nil {
			t.Errorf("ParseNetworks(%q): got no error", bad)
		}
	}
}

// nameServer answers by UDP for every name with the nth address at the nth
// question, and with the last one from then on.
func nameServer(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-ended })
	var asked atomic.Int32
	go func() {
		defer close(ended)
		for buffer := make([]byte, 1500); ; {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if err := m.Unpack(buffer[:n]); err != nil {
				t.Errorf("question: %v", err)
				return
			}
			m.Response, m.Additionals = true, nil
			q := m.Questions[0]
			header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
			if q.Type == dnsmessage.TypeA {
				at := int(asked.Add(1)) - 1
				address := netip.MustParseAddr(addresses[min(at, len(addresses)-1)])
				m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: address.As4()}}}
			}
			answer, err := m.Pack()
			if err != nil {
				t.Errorf("answer: %v", err)
				return
			}
			if _, err := conn.WriteTo(answer, from); err != nil {
				return
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

const privateRefused = ": its address is not of the open internet, and the operator does not allow it: see --private-upstreams"

// guarded is a source that may reach only some private networks.
func guarded(t *testing.T, networks string, resolver *net.Resolver, settings fetch.Settings) *fetch.Source {
	t.Helper()
	config := loopback(&waits{})
	var err error
	if config.Networks, err = fetch.ParseNetworks(networks); err != nil {
		t.Fatal(err)
	}
	config.Resolver = resolver
	return sourceOf(t, fetch.New(config), settings)
}

func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	resolver := nameServer(t, "127.0.0.1")
	up := newUpstream(t, body("hello"))
	at := func(host string) string { return "http://" + host + ":" + port(t, up.URL) + "/a" }
	for _, test := range []struct {
		name, networks, url string
		refused             bool
	}{
		{"all", "all", at("127.0.0.1"), false},
		{"none", "none", at("127.0.0.1"), true},
		{"this network", "10.0.0.0/8,127.0.0.0/8", at("127.0.0.1"), false},
		{"this address", "127.0.0.1", at("127.0.0.1"), false},
		{"another address", "127.0.0.2", at("127.0.0.1"), true},
		{"by name", "none", at("files.example.org"), true},
		{"by name, allowed", "127.0.0.1", at("files.example.org"), false},
		{"by the name of this machine", "none", at("localhost"), true},
		{"any address", "none", at("0.0.0.0"), true},
		{"IPv6", "none", at("[::1]"), true},
		{"IPv6, unspecified", "none", at("[::]"), true},
		{"IPv4 in IPv6", "none", at("[::ffff:127.0.0.1]"), true},
		{"IPv4 in IPv6, in hex", "none", at("[::ffff:7f00:1]"), true},
		{"IPv4 in IPv6, allowed", "127.0.0.1", at("[::ffff:127.0.0.1]"), false},
		{"allowed as IPv4 in IPv6", "::ffff:127.0.0.1", at("127.0.0.1"), false},
		{"by translation", "none", at("[64:ff9b::7f00:1]"), true},
		{"by translation of another kind", "none", at("[::ffff:0:127.0.0.1]"), true},
		{"by a tunnel", "none", at("[2002:7f00:1::1]"), true},
		{"link-local", "none", "http://169.254.169.254/latest/meta-data", true},
		{"link-local, IPv6", "none", "http://[fe80::1%25lo]/", true},
		{"private", "none", "http://192.168.1.1/", true},
		{"private, IPv6", "none", "http://[fd00::1]/", true},
		{"a carrier's", "none", "https://100.64.0.1/", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := guarded(t, test.networks, resolver, fetch.Settings{Attempts: 1})
			_, err := s.Get(t.Context(), anything(test.url), &sink{})
			switch {
			case !test.refused && err != nil:
				t.Errorf("Get: %v", err)
			case test.refused && (!fault.Is(err, fault.Forbidden) || !strings.HasSuffix(fault.Message(err), privateRefused)):
				t.Errorf("Get: got %v, want Forbidden", err)
			}
		})
	}
}

// TestNameThatChanges resolves to an allowed address, where nobody listens,
// when one might check it, and to the upstream's later.
func TestNameThatChanges(t *testing.T) {
	t.Parallel()
	up := newUpstream(t, body("hello"))
	s := guarded(t, "127.0.0.2", nameServer(t, "127.0.0.2", "127.0.0.1"), fetch.Settings{Attempts: 2})
	_, err := s.Get(t.Context(), anything("http://files.example.org:"+port(t, up.URL)+"/a"), &sink{})
	if !fault.Is(err, fault.Forbidden) {
		t.Errorf("Get: got %v, want Forbidden", err)
	}
	if n := len(up.seen()); n > 0 {
		t.Errorf("the upstream got %d requests", n)
	}
}

func TestRedirectToPrivateAddress(t *testing.T) {
	t.Parallel()
	private := newUpstream(t, body("hello"))
	up := newUpstream(t, redirect(strings.Replace(private.URL, "127.0.0.1", "127.0.0.2", 1)))
	s := guarded(t, "127.0.0.1", nil, fetch.Settings{})
	if _, err := s.Get(t.Context(), anything(up.URL+"/a"), &sink{}); !fault.Is(err, fault.Forbidden) || fault.Message(err) != up.URL+"/a"+privateRefused {
		t.Errorf("Get: got %v, want Forbidden %q", err, privateRefused)
	}
	if n := len(up.seen()); n != 1 {
		t.Errorf("requests: got %d, want 1", n)
	}
}
