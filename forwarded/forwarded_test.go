package forwarded

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHandler(t *testing.T) {
	t.Parallel()
	const proxies = "10.0.0.0/8, 127.0.0.1,2001:db8::/32"
	tests := []struct {
		name, proxies, peer string
		header              []string
		want                string
	}{
		{"no proxies are trusted", "", "10.0.0.1:80", []string{"192.0.2.1"}, "10.0.0.1:80"},
		{"not from a proxy", proxies, "192.0.2.9:80", []string{"192.0.2.1"}, "192.0.2.9:80"},
		{"not forwarded", proxies, "10.0.0.1:80", nil, "10.0.0.1:80"},
		{"one proxy", proxies, "10.0.0.1:80", []string{"192.0.2.1"}, "192.0.2.1:0"},
		{"its single address", proxies, "127.0.0.1:80", []string{"192.0.2.1"}, "192.0.2.1:0"},
		{"the address beside it", proxies, "127.0.0.2:80", []string{"192.0.2.1"}, "127.0.0.2:80"},
		{"two proxies", proxies, "10.0.0.1:80", []string{"192.0.2.1, 10.0.0.2"}, "192.0.2.1:0"},
		{"in two headers", proxies, "10.0.0.1:80", []string{"192.0.2.1", "10.0.0.2"}, "192.0.2.1:0"},
		{"the client claims to be another", proxies, "10.0.0.1:80", []string{"203.0.113.1, 192.0.2.1"}, "192.0.2.1:0"},
		{"the client claims to be a proxy", proxies, "10.0.0.1:80", []string{"10.9.9.9, 192.0.2.1"}, "192.0.2.1:0"},
		{"a proxy is the client", proxies, "10.0.0.1:80", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3:0"},
		{"nonsense", proxies, "10.0.0.1:80", []string{"unknown"}, "10.0.0.1:80"},
		{"nonsense before", proxies, "10.0.0.1:80", []string{"unknown, 10.0.0.2"}, "10.0.0.2:0"},
		{"with a port", proxies, "10.0.0.1:80", []string{"192.0.2.1:4711"}, "192.0.2.1:0"},
		{"IPv6", proxies, "[2001:db8::1]:80", []string{"2001:dead::7"}, "[2001:dead::7]:0"},
		{"IPv6 with a port", proxies, "[2001:db8::1]:80", []string{"[2001:dead::7]:4711"}, "[2001:dead::7]:0"},
		{"IPv6 in brackets", proxies, "[2001:db8::1]:80", []string{"[2001:dead::7]"}, "[2001:dead::7]:0"},
		{"IPv4 in IPv6", proxies, "[::ffff:10.0.0.1]:80", []string{"::ffff:192.0.2.1"}, "192.0.2.1:0"},
		{"no network's peer", proxies, "@", []string{"192.0.2.1"}, "@"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var p Proxies
			if tt.proxies != "" {
				if err := p.Set(tt.proxies); err != nil {
					t.Fatal(err)
				}
			}
			var got string
			h := p.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr }))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.RemoteAddr = tt.peer
			r.Header[Header] = tt.header
			h.ServeHTTP(httptest.NewRecorder(), r)
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if r.RemoteAddr != tt.peer {
				t.Errorf("the outer request was changed to %s", r.RemoteAddr)
			}
		})
	}
}

func TestProxiesAsAFlag(t *testing.T) {
	t.Parallel()
	var p Proxies
	if err := p.Set("10.1.2.3/8,::1"); err != nil || p.String() != "10.0.0.0/8,::1/128" {
		t.Errorf("got %s, %v", p, err)
	}
	for _, text := range []string{"", "10.0.0.0/33", "localhost", "10.0.0.0/8,"} {
		if err := p.Set(text); err == nil {
			t.Errorf("%q: got no error", text)
		}
	}
}
