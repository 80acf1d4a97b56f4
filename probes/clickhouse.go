package probes

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

func clickHouseKind() Kind {
	return Kind{
		Name: "clickhouse",
		Doc: "Talks to ClickHouse over HTTP. With query it compares the first column of the first row; without, it is a round trip: a table of its own " +
			"(chaos_probe_..., engine Memory) is created, takes a row, gives it back and is dropped, also when the attempt is cut off.",
		Example: "clickhouse: {url: http://127.0.0.1:8123, database: stats, user: default, password: secret}",
		Also: []string{
			"http: {method: POST, url: 'http://127.0.0.1:8080/orders', status: 201}    # the order is counted, sooner or later\ncapture: {order: $.id}\n" +
				"then:\n  clickhouse: {url: 'http://127.0.0.1:8123', query: \"select count() from orders where id = '${captured.order}'\", expect: 1}\n  within: 10s",
		},
		used:  func(s Spec) bool { return s.ClickHouse != nil },
		build: func(s Spec, _ Env) (attempt, error) { return s.ClickHouse.build() },
	}
}

type clickHouseProbe struct {
	ClickHouse
	http httpProbe // the request without the statement
	host string
}

func (c ClickHouse) build() (attempt, error) {
	p := clickHouseProbe{ClickHouse: c}
	u, err := parseURL(c.URL, "http", "https")
	if err != nil {
		return attempt{}, err
	}
	if c.Query == "" && c.Expect != nil {
		return attempt{}, errors.New("expect belongs to a query; the round trip compares with what it wrote")
	}
	_, secrets := safeURL(u)
	p.host = u.Host
	query := u.Query()
	// The status of an answer is only true when the statement was run to its end before.
	query.Set("wait_end_of_query", "1")
	query.Set("default_format", "TabSeparated")
	if c.Database != "" {
		query.Set("database", c.Database)
	}
	asked := *u
	asked.RawQuery = query.Encode()
	headers := map[string]string{}
	if c.User != "" {
		headers["X-ClickHouse-User"] = c.User
	}
	if c.Password != "" {
		headers["X-ClickHouse-Key"] = c.Password
	}
	p.http = httpProbe{spec: HTTP{URL: asked.String(), Headers: headers}, method: http.MethodPost}
	return attempt{p.ask, append(secrets, c.Password, url.QueryEscape(c.Password))}, nil
}

func (p clickHouseProbe) ask(ctx context.Context) (Answer, error) {
	if p.Query == "" {
		return p.roundTrip(ctx)
	}
	want := "an answer"
	if p.Expect != nil {
		want = short(text(p.Expect))
	}
	got, found, err := p.run(ctx, p.Query, want)
	switch {
	case err != nil || p.Expect == nil:
	case !found:
		err = expected(p.what(p.Query), want, "no row")
	case got != text(p.Expect) && !sameNumber(got, text(p.Expect)):
		err = expected(p.what(p.Query), want, shortOr(got, "an empty text"))
	}
	return Answer{Body: got}, err
}

func (p clickHouseProbe) roundTrip(ctx context.Context) (_ Answer, err error) {
	table, value := "chaos_probe_"+strings.ToLower(rand.Text()), rand.Text()
	if _, _, err := p.run(ctx, "CREATE TABLE "+table+" (value String) ENGINE = Memory", "a table"); err != nil {
		if ctx.Err() != nil { // it may be made later
			_ = p.drop(ctx, table) // what failed first is told
		}
		return Answer{}, err
	}
	defer func() {
		if dropped := p.drop(ctx, table); err == nil {
			err = dropped
		}
	}()
	if _, _, err := p.run(ctx, "INSERT INTO "+table+" VALUES ('"+value+"')", "a row taken"); err != nil {
		return Answer{}, err
	}
	query := "SELECT value FROM " + table
	got, found, err := p.run(ctx, query, "what was written")
	switch {
	case err != nil:
	case !found:
		err = expected(p.what(query), "what was written", "no row")
	case got != value:
		err = expected(p.what(query), "what was written", shortOr(got, "an empty text"))
	}
	return Answer{Body: got}, err
}

// drop removes the table of a round trip, in a time of its own where the attempt's is over.
func (p clickHouseProbe) drop(ctx context.Context, table string) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), cancelling)
		defer cancel()
	}
	_, _, err := p.run(ctx, "DROP TABLE IF EXISTS "+table, "the table dropped")
	return err
}

// kill ends a statement whose answer nobody waits for any more: ClickHouse goes on with it. That it may fail is no news.
func (p clickHouseProbe) kill(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelling)
	defer cancel()
	_, _, _ = p.http.send(ctx, http.MethodPost, p.http.headers(), "KILL QUERY WHERE query_id = '"+id+"' ASYNC")
}

func (p clickHouseProbe) what(statement string) string {
	return fmt.Sprintf("clickhouse %q on %s", short(statement), p.host)
}

// run sends one statement and returns the first column of the first row of its answer.
func (p clickHouseProbe) run(ctx context.Context, statement, want string) (value string, found bool, err error) {
	request := p.http
	request.what, request.want = p.what(statement), want
	id := userAgent + "-" + strings.ToLower(rand.Text())
	request.spec.URL += "&query_id=" + id
	_, got, err := request.send(ctx, http.MethodPost, p.http.headers(), statement)
	if ctx.Err() != nil || got.cut || got.bodyErr != nil {
		p.kill(ctx, id)
	}
	if err != nil {
		return "", false, err
	}
	body := string(got.body)
	switch {
	case got.status != http.StatusOK || got.header.Get("X-ClickHouse-Exception-Code") != "":
		return "", false, expected(request.what, want, clickHouseError(got.status, body))
	case got.bodyErr != nil:
		return "", false, expected(request.what, want, got.bodyErr.Error())
	case got.cut:
		return "", false, expected(request.what, want, "an answer of more than 1 MiB")
	}
	line, _, found := strings.Cut(body, "\n")
	if !found && body != "" {
		return "", false, expected(request.what, want, "an answer that is not ClickHouse's: "+short(body))
	}
	column, _, _ := strings.Cut(line, "\t")
	if column == `\N` {
		return "null", found, nil
	}
	return unescapeTSV.Replace(column), found, nil
}

// unescapeTSV undoes ClickHouse's escapes in a TabSeparated value.
var unescapeTSV = strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r", `\'`, `'`, `\0`, "\x00", `\b`, "\b", `\f`, "\f")

// clickHouseError is the first line of what ClickHouse says, without the words that it says twice.
func clickHouseError(status int, body string) string {
	line, _, _ := strings.Cut(body, "\n")
	line, _, _ = strings.Cut(line, ", e.what() =")
	line = strings.Replace(line, "e.displayText() = DB::Exception: ", "", 1)
	if strings.HasPrefix(line, "Code: ") {
		return short(line)
	}
	return "status " + statusText(status, []byte(body))
}
