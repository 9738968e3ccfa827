package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"ream/cli/client"
)

const tokenUsage = `token create NAME --role ROLE | list | revoke NAME

Makes, lists and revokes the tokens by which programs get in. It works on the
database itself, where that is on this system: --data and --database are those of
ream serve, which may run meanwhile. With --server it asks a server, as an admin.

  ream token create NAME   make a token and print its secret, which is shown
                           this once
  ream token list          show the tokens that are good
  ream token revoke NAME   make a token good for nothing, by its name or its id
`

func tokens(ctx context.Context, args []string, env Env) error {
	verbs := map[string]func(context.Context, []string, Env) error{
		"create": createToken,
		"list":   listTokens,
		"revoke": revokeToken,
	}
	if len(args) == 0 {
		return misuse("say what to do: create, list or revoke")
	}
	run, ok := verbs[args[0]]
	switch {
	case ok:
		return run(ctx, args[1:], env)
	case args[0] == "--help", args[0] == "-help", args[0] == "-h":
		return helpWanted("usage: ream " + tokenUsage)
	}
	return misuse(fmt.Sprintf("there is no %q: want create, list or revoke", args[0]))
}

func createToken(ctx context.Context, args []string, env Env) error {
	f := newFlags("token create", `token create NAME --role ROLE

Makes a token and prints its secret, which nobody can learn again: programs send
it as Authorization: Bearer, and ream itself takes it from REAM_TOKEN.`)
	where := f.database(env)
	role := client.Role("")
	f.Func("role", "what its owner may do: `reader`, operator or admin", func(s string) error {
		for _, known := range []client.Role{client.RoleReader, client.RoleOperator, client.RoleAdmin} {
			if strings.EqualFold(s, string(known)) {
				role = known
				return nil
			}
		}
		return errors.New("want reader, operator or admin")
	})
	labels := f.String("labels", "", "only repositories whose labels fit every term of `SELECTOR`: env=prod,team!=web,mirror,!old")
	var expires *time.Time
	f.Func("expires", "after how `long` it ceases to be good, such as 90d or 12h; never if left out", func(s string) error {
		d, err := lifetime(s)
		expires = new(time.Now().Add(d))
		return err
	})
	names, err := f.parse(args)
	switch {
	case err != nil:
		return err
	case len(names) != 1:
		return misuse("say what to name it: one name")
	case role == "":
		return misuse("say what its owner may do: --role reader, operator or admin")
	}
	return where(ctx, func(c *client.Client) error {
		made, err := client.CreateToken(ctx, c, client.CreateTokenInput{Name: names[0], Role: role, Labels: *labels, ExpiresAt: expires})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(env.Stdout, made.CreateToken.Secret)
		return err
	})
}

// lifetime reads a duration, also in days.
func lifetime(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d <= 0 || d > 100*365*24*time.Hour {
		return 0, errors.New("want a time such as 90d or 12h")
	}
	return d, nil
}

func listTokens(ctx context.Context, args []string, env Env) error {
	f := newFlags("token list", `token list

Shows the tokens: not their secrets, which nobody can learn again.`)
	where := f.database(env)
	all := f.Bool("all", false, "also those that have expired or were revoked")
	if words, err := f.parse(args); err != nil {
		return err
	} else if len(words) > 0 {
		return misuse("it takes no names")
	}
	return where(ctx, func(c *client.Client) error {
		table := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tNAME\tROLE\tLABELS\tSTATE\tEXPIRES\tLAST USED")
		after := ""
		for {
			page, err := client.Tokens(ctx, c, !*all, after)
			if err != nil {
				return err
			}
			for _, t := range page.Tokens.Nodes {
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.Id, clean(t.Name), strings.ToLower(string(t.Role)), clean(t.Labels),
					strings.ToLower(string(t.State)), day(t.ExpiresAt, "never"), day(t.LastUsedAt, "never"))
			}
			if !page.Tokens.PageInfo.HasNextPage {
				return table.Flush()
			}
			after = page.Tokens.PageInfo.EndCursor
		}
	})
}

// day is when something is, to the minute.
func day(t *time.Time, none string) string {
	if t == nil {
		return none
	}
	return t.UTC().Format("2006-01-02 15:04")
}

func revokeToken(ctx context.Context, args []string, env Env) error {
	f := newFlags("token revoke", `token revoke NAME

Makes a token good for nothing, by its name or its id, such as token-3. Whoever
uses it is disconnected.`)
	where := f.database(env)
	names, err := f.parse(args)
	switch {
	case err != nil:
		return err
	case len(names) != 1:
		return misuse("say which one: one name or id")
	}
	return where(ctx, func(c *client.Client) error {
		id := names[0]
		found, err := client.FindToken(ctx, c, id)
		if err != nil {
			return err
		}
		if found.Token != nil {
			id = found.Token.Id
		}
		revoked, err := client.RevokeToken(ctx, c, id)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(env.Stdout, "%s (%s) is revoked\n", revoked.RevokeToken.Id, clean(revoked.RevokeToken.Name))
		return err
	})
}

// database adds the flags that say whose tokens are meant. What it returns runs
// a function with a client of them.
func (f flags) database(env Env) func(context.Context, func(*client.Client) error) error {
	setting := func(name, value string) string {
		if v := env.Getenv(name); v != "" {
			return v
		}
		return value
	}
	data := f.String("data", setting("REAM_DATA", "ream-data"), "the `directory` of the server's database, unless that is elsewhere")
	database := f.String("database", setting("REAM_DATABASE", ""), "a SQLite `file` or a postgres:// URL (default: ream.db below --data)")
	server := f.String("server", "", "the `URL` of a server to ask instead")
	credentials := f.credentials(env)
	return func(ctx context.Context, run func(*client.Client) error) error {
		if *server != "" {
			token, err := credentials()
			if err != nil {
				return err
			}
			c, err := client.New(*server, client.Options{Token: token})
			if err != nil {
				return misuse(err.Error())
			}
			return run(c)
		}
		if env.Local == nil {
			return misuse("say which server: --server")
		}
		transport, stop, err := env.Local(ctx, *data, *database)
		if err != nil {
			return err
		}
		c, err := client.New("http://localhost", client.Options{Transport: transport})
		if err == nil {
			err = run(c)
		}
		return errors.Join(err, stop())
	}
}
