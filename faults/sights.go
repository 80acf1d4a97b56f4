package faults

// Sight is what one client shows of a fault. e2e lets the real clients meet it.
type Sight struct {
	With   string   // the fault's parameters, as the value of an entry in YAML; empty: the defaults
	Open   bool     // met on a connection that was open before the fault came on; else on a new one
	Limit  bool     // it is the client's own time limit that strikes; without one it would wait
	Client string   // "pgx", "lib/pq", "go-redis", "net/http" ...
	Text   string   // a part of its error; or NoError, or WaitsOn
	Or     []string // others, where it depends on who is first
}

// What a Sight says where there is no error.
const (
	NoError = "no error"                             // the client gets what it asked for
	WaitsOn = "waits on after its context has ended" // the client's own time limit does not help
)

// Words of the clients that many faults share.
const (
	noListener = "connect: connection refused"
	broken     = "connection reset by peer"
	brokenPipe = "broken pipe"
	eof        = "EOF"
	bad        = "driver: bad connection"
	deadline   = "context deadline exceeded"
	ioLimit    = "i/o timeout"
)

// sights are those of the faults that speak no protocol, by kind.
var sights = join(map[string][]Sight{
	"refuse": refusals(Sight{}),
	"hang": {
		{Limit: true, Client: "pgx", Text: ioLimit, Or: []string{deadline}}, {Limit: true, Client: "lib/pq", Text: ioLimit, Or: []string{deadline}},
		{Limit: true, Client: "go-redis", Text: deadline, Or: []string{ioLimit}}, {Limit: true, Client: "net/http", Text: deadline, Or: []string{ioLimit}},
	},
	"cut":             append(refusals(Sight{}), goneOpen("")...),
	"accept_close":    endings(Sight{}),
	"slow_accept":     append(fine(Sight{}), silence(Sight{With: "3s"})...),
	"max_connections": resets(Sight{}),
	"reset":           append(resets(Sight{}), resets(Sight{Open: true})...),
	"blackhole":       append(silence(Sight{}), silence(Sight{Open: true})...),
	"half_open":       append(silence(Sight{}), silence(Sight{Open: true})...),
	"timeout":         append(endings(Sight{}), endings(Sight{Open: true})...),
	"stall":           append(silence(Sight{With: "0"}), silence(Sight{With: "0", Open: true})...),
	"latency":         append(append(fine(Sight{}), silence(Sight{With: "3s"})...), silence(Sight{With: "3s", Open: true})...),
	"brownout":        append(fine(Sight{With: "{delay: 300ms}"}), silence(Sight{With: "{delay: 3s}", Open: true})...),
	"loss":            fine(Sight{With: "{probability: 0.9, rto: 10ms}"}),
	"bandwidth":       fine(Sight{With: "1"}),
	"slicer":          fine(Sight{}),
	"slow_close":      fine(Sight{}),
	"limit_data":      append(endings(Sight{}), endings(Sight{Open: true})...),
	"corrupt":         append(silence(Sight{With: "1.0"}), silence(Sight{With: "1.0", Open: true})...), // lengths become huge: they wait for the rest
	"garbage": {
		{Client: "pgx", Text: "invalid message length"}, {Limit: true, Client: "lib/pq", Text: ioLimit},
		{Limit: true, Client: "go-redis", Text: ioLimit}, {Client: "net/http", Text: "malformed HTTP"},
		{Open: true, Limit: true, Client: "lib/pq", Text: WaitsOn},
	},
	"flap": append(refusals(Sight{With: "{down: 5m}"}), goneOpen("{down: 5m}")...),
}, spokenSights)

func join(a, b map[string][]Sight) map[string][]Sight {
	for kind, list := range b {
		a[kind] = list
	}
	return a
}

// each completes a sight for the four drivers, with a text and another for each.
func each(s Sight, pgx, pq, goRedis, http [2]string) []Sight {
	var list []Sight
	texts := [][2]string{pgx, pq, goRedis, http}
	for i, client := range []string{"pgx", "lib/pq", "go-redis", "net/http"} {
		s.Client, s.Text, s.Or = client, texts[i][0], nil
		if or := texts[i][1]; or != "" {
			s.Or = []string{or}
		}
		list = append(list, s)
	}
	return list
}

// orBrokenPipe is for resets: who writes after the RST came is told so.
func orBrokenPipe(list []Sight) []Sight {
	for i := range list {
		list[i].Or = append(list[i].Or, brokenPipe)
	}
	return list
}

func refusals(s Sight) []Sight {
	return each(s, [2]string{noListener}, [2]string{noListener}, [2]string{noListener}, [2]string{noListener})
}

// resets: whether the read or the write meets it first is a race, and go-redis and database/sql look at a connection before they use it.
func resets(s Sight) []Sight {
	return orBrokenPipe(each(s, [2]string{broken}, [2]string{broken, bad}, [2]string{eof, broken}, [2]string{broken, eof}))
}

// goneOpen is a reset on an open connection behind which nobody listens: who comes back at once is refused.
func goneOpen(with string) []Sight {
	return orBrokenPipe(each(Sight{With: with, Open: true}, [2]string{broken}, [2]string{broken, bad}, [2]string{eof, noListener}, [2]string{noListener, broken}))
}

func endings(s Sight) []Sight {
	pq := [2]string{eof}
	if s.Open {
		pq = [2]string{bad, eof}
	}
	return each(s, [2]string{"unexpected EOF"}, pq, [2]string{eof}, [2]string{eof})
}

// silence: connect_timeout bounds lib/pq's beginning, and nothing its wait for an answer.
func silence(s Sight) []Sight {
	s.Limit = true
	pq := [2]string{ioLimit}
	if s.Open {
		pq = [2]string{WaitsOn}
	}
	return each(s, [2]string{deadline}, pq, [2]string{ioLimit, deadline}, [2]string{deadline, ioLimit})
}

func fine(s Sight) []Sight {
	return each(s, [2]string{NoError}, [2]string{NoError}, [2]string{NoError}, [2]string{NoError})
}
