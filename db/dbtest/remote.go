package dbtest

import (
	"time"

	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/page"
)

func remoteSettings(l library) {
	none := l.remote("none")
	all := &content.Remote{
		Name: "all", URL: "https://example.org/", Policy: content.Immediate,
		Username: "me", CACert: "-----BEGIN", ClientCert: "-----BEGIN", VerifyTLS: true,
		ProxyURL: "http://proxy", ProxyUsername: "you",
		InsecureRedirects: true, Connections: 3, BytesPerSecond: 1 << 40,
		StallTimeout: 7 * time.Second, TotalTimeout: 100 * time.Hour, Retries: 9,
	}
	l.tx(func(tx *db.Tx) error { return tx.CreateRemote(l.ctx(), all) })
	read := func(name string, want ...*content.Remote) {
		l.t.Helper()
		equal(l.t, name+", by name", must(l.RemoteByName(l.ctx(), "all"))(l.t), want[1])
		equal(l.t, name+", by id", must(l.RemotesByID(l.ctx(), []content.RemoteID{none.ID, all.ID}))(l.t), want)
		equal(l.t, name+", as a list", nodes(must(l.Remotes(l.ctx(), page.Request{}))(l.t)), want)
		l.tx(func(tx *db.Tx) error {
			locked, err := tx.LockRemote(l.ctx(), all.ID)
			equal(l.t, name+", locked", locked, want[1])
			return err
		})
	}
	read("without secrets", none, all)

	all.Secrets = content.Secrets{content.Password: {0, 255, 'x'}, content.HeaderValue("X-Key"): {}}
	l.tx(func(tx *db.Tx) error { return tx.UpdateRemote(l.ctx(), all) })
	read("with secrets", none, all)
	equal(l.t, "what is set", []bool{all.HasPassword(), all.HasToken(), all.HasClientKey(), all.HasProxyPassword()}, []bool{true, false, false, false})
	equal(l.t, "headers", all.HeaderNames(), []string{"X-Key"})

	l.tx(func(tx *db.Tx) error {
		n, err := tx.ForgetSecrets(l.ctx())
		equal(l.t, "remotes without their secrets", n, 1)
		return err
	})
	all.Secrets = nil
	all.UpdatedAt = must(l.RemoteByName(l.ctx(), "all"))(l.t).UpdatedAt
	read("after they were forgotten", none, all)

	l.fails(fault.NotFound, "there is no remote-99", func(tx *db.Tx) error { _, err := tx.LockRemote(l.ctx(), 99); return err })
}

func secretKeys(l library) {
	claim := func(id string) func(*db.Tx) error {
		return func(tx *db.Tx) error { return tx.ClaimKey(l.ctx(), id) }
	}
	l.tx(claim("one"))
	l.tx(claim("one"))
	l.tx(claim("two")) // nothing is sealed yet

	r := l.remote("r")
	r.Secrets = content.Secrets{content.Token: []byte("sealed")}
	l.tx(func(tx *db.Tx) error { return tx.UpdateRemote(l.ctx(), r) })
	l.tx(claim("two"))
	l.fails(fault.Conflict, "the database holds secrets that were sealed with another key (two, not one)", claim("one"))
	l.tx(claim("two"))

	r.Secrets = nil
	l.tx(func(tx *db.Tx) error { return tx.UpdateRemote(l.ctx(), r) })
	l.tx(claim("one"))
}
