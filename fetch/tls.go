package fetch

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"

	"ream/fault"
)

// maxPEM is the longest text of certificates or of a key, in bytes.
const maxPEM = 256 << 10

// identity is how a connection by TLS proves what it is and checks the other
// side. Connections with the same key may be shared.
type identity struct {
	key    string
	config *tls.Config
}

// anybody shows no certificate, and believes the system's authorities.
var anybody = &identity{config: &tls.Config{MinVersion: tls.VersionTLS12}}

// identities are what the source's own host meets, and what others do: those
// never see the client's certificate, and may also have a certificate that the
// system's authorities made.
func (s Settings) identities() (own, elsewhere *identity, err error) {
	if s.CACert == "" && s.ClientCert == "" && !s.ClientKey.IsSet() && !s.Unverified {
		return anybody, anybody, nil
	}
	ownConfig, elsewhereConfig := anybody.config.Clone(), anybody.config.Clone()
	// Who takes any certificate cannot know which host redirects.
	ownConfig.InsecureSkipVerify, elsewhereConfig.InsecureSkipVerify = s.Unverified, s.Unverified
	if s.CACert != "" {
		authorities, err := certificates("caCert", s.CACert)
		if err != nil {
			return nil, nil, err
		}
		ownConfig.RootCAs = x509.NewCertPool()
		if elsewhereConfig.RootCAs, err = x509.SystemCertPool(); err != nil {
			elsewhereConfig.RootCAs = x509.NewCertPool() // the system has no authorities
		}
		for _, c := range authorities {
			ownConfig.RootCAs.AddCert(c)
			elsewhereConfig.RootCAs.AddCert(c)
		}
	}
	if err := s.clientCertificate(ownConfig); err != nil {
		return nil, nil, err
	}
	shared := fmt.Sprint(s.Unverified, s.CACert)
	return &identity{digest(shared, s.ClientCert, s.ClientKey.Reveal()), ownConfig}, &identity{digest(shared), elsewhereConfig}, nil
}

// digest tells the parts of an identity from others, without showing them.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

func (s Settings) clientCertificate(config *tls.Config) error {
	key := s.ClientKey.Reveal()
	switch {
	case s.ClientCert == "" && key == "":
		return nil
	case s.ClientCert == "":
		return fault.Input("clientCert", "it is needed with a client key")
	case key == "":
		return fault.Input("clientKey", "it is needed with a client certificate")
	case s.URL == "":
		return fault.Input("url", "it is needed with a client certificate: no other host may see it")
	case len(key) > maxPEM:
		return fault.Input("clientKey", "it has more than %d bytes", maxPEM)
	}
	if _, err := certificates("clientCert", s.ClientCert); err != nil {
		return err
	}
	pair, err := tls.X509KeyPair([]byte(s.ClientCert), []byte(key))
	if err != nil { // it may quote the key
		return fault.Input("clientKey", "want the unencrypted private key, in PEM, of the first certificate in clientCert")
	}
	config.Certificates = []tls.Certificate{pair}
	return nil
}

// certificates reads a text that is shown to whoever reads the remote, so it
// may hold certificates alone.
func certificates(field, text string) (found []*x509.Certificate, err error) {
	if len(text) > maxPEM {
		return nil, fault.Input(field, "it has more than %d bytes", maxPEM)
	}
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fault.Input(field, "it may hold certificates alone: everybody who reads the remote sees them")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fault.Input(field, "certificate %d is not valid", len(found)+1)
		}
		found = append(found, c)
	}
	if len(found) == 0 {
		return nil, fault.Input(field, "want certificates in PEM: -----BEGIN CERTIFICATE----- …")
	}
	return found, nil
}
