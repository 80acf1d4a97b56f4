package faults

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
)

// redisError is a Redis that is up and says no.
func redisError() Kind {
	return Kind{
		Name: "redis_error",
		Doc: "A Redis that is up and says no, because of the state that the server is in: LOADING, it has just been started and reads its data. " +
			"NOAUTH, it wants a password that the service does not have. WRONGPASS, the password was changed: open connections go on. " +
			"READONLY, a replica was taken for the master, or a failover is going on. MASTERDOWN, a replica without its master that may not serve old " +
			"data. MISCONF, the last save failed. OOM, it is full. BUSY, a script runs for ever. NOREPLICAS, too few replicas. CLUSTERDOWN, slots are " +
			"not served. MAXCLIENTS, there are too many connections, and DENIED, protected mode: new connections are told so and closed. " +
			"Exactly the commands that a real server refuses in that state are refused, on new and on open connections, in their order and inside of " +
			"MULTI; all others pass. The state is the server's: when the fault is lifted, the same connections work again. A connection under TLS, one " +
			"that runs MONITOR, and one that replicates pass untouched.",
		Client: "The server's own error as the answer to a command: go-redis returns `LOADING Redis is loading the dataset in memory` as it is, after its own " +
			"retries for LOADING, READONLY, MASTERDOWN, NOREPLICAS, CLUSTERDOWN and MAXCLIENTS; redis-cli prints it. With MAXCLIENTS and DENIED go-redis often " +
			"knows no more than `EOF`, as with a real server.",
		Example:   "{on: redis, during: cache, for: 5s, fault: {redis_error: LOADING}}",
		Protocols: []string{"redis"},
		Params: []Param{
			{Name: "kind", Type: TypeEnum, Default: "LOADING", Enum: redisStateNames(), Doc: "The state of the server, named by its error."},
			{Name: "message", Type: TypeString, Default: "", Doc: "What follows the error's name; empty: the server's own words."},
		},
		check: func(s Spec) []Problem { return oneLine(s, "message") },
		Behave: func(s Spec) Behaviour {
			f := newRedisFault(s.Text("kind"), s.Text("message"))
			return Behaviour{Converse: func(random *rand.Rand, whole bool) Conversation { return newRedisSession(f, random, whole) }}
		},
	}
}

// oneLine refuses a text that would be more than one message of a protocol made of lines.
func oneLine(s Spec, name string) []Problem {
	if strings.ContainsFunc(s.Text(name), func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return []Problem{{Param: name, Text: fmt.Sprintf("%s.%s must be one line without control characters, got %s", s.Kind, name, show(s.Text(name)))}}
	}
	return nil
}

// redisState is a state in which a server refuses commands.
type redisState struct {
	name, prefix, text string
	refuses            func(redisCommand) bool
	greets             bool // new connections are told so and closed; commands are not looked at
	late               bool // the server looks at it only after "only (P|S)SUBSCRIBE ... are allowed in this context"
	scripts            bool // the writes of scripts are refused
}

func lacks(f redisFlags) func(redisCommand) bool {
	return func(c redisCommand) bool { return c.flags&f == 0 }
}

func has(f redisFlags) func(redisCommand) bool {
	return func(c redisCommand) bool { return c.flags&f != 0 }
}

const (
	redisNoAuthText    = "NOAUTH Authentication required."
	redisHelloText     = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
	redisWrongPassText = "WRONGPASS invalid username-password pair or user is disabled."
	redisDeniedText    = "Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside."
	redisMisconfText   = "Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error."
)

// redisStates are the states, in the words of Redis 7.0.
func redisStates() []redisState {
	return []redisState{
		{name: "LOADING", text: "Redis is loading the dataset in memory", refuses: lacks(redisLoading), late: true},
		{name: "NOAUTH", text: "Authentication required.", refuses: lacks(redisNoAuth)},
		{name: "WRONGPASS", text: "invalid username-password pair or user is disabled.", refuses: lacks(redisNoAuth)},
		{name: "READONLY", text: "You can't write against a read only replica.", refuses: has(redisWrite), scripts: true},
		{name: "MASTERDOWN", text: "Link with MASTER is down and replica-serve-stale-data is set to 'no'.", refuses: lacks(redisStale), late: true},
		{name: "MISCONF", text: redisMisconfText, scripts: true,
			refuses: func(c redisCommand) bool { return c.flags&redisWrite != 0 || c.name == "ping" }},
		{name: "OOM", text: "command not allowed when used memory > 'maxmemory'.", refuses: has(redisDenyOOM), scripts: true},
		{name: "BUSY", text: "Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", late: true, refuses: func(c redisCommand) bool {
			return c.flags&redisAllowBusy == 0 || c.name == "function|stats" || c.name == "function|kill" // they are for functions; a script runs
		}},
		{name: "NOREPLICAS", text: "Not enough good replicas to write.", refuses: has(redisWrite), scripts: true},
		{name: "CLUSTERDOWN", text: "The cluster is down", refuses: has(redisKeys)},
		{name: "MAXCLIENTS", prefix: "ERR", text: "max number of clients reached", greets: true},
		{name: "DENIED", text: redisDeniedText, greets: true},
	}
}

func redisStateNames() []string {
	var names []string
	for _, s := range redisStates() {
		names = append(names, s.name)
	}
	return names
}

// newRedisFault returns the state of that name; the message is in the place of its own text if it is not empty.
func newRedisFault(name, message string) redisState {
	for _, s := range redisStates() {
		if s.name == name {
			s.text = cmp.Or(s.prefix, s.name) + " " + cmp.Or(message, s.text)
			return s
		}
	}
	return redisState{}
}
