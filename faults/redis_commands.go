package faults

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

// redisTable is what a real server's COMMAND says, one command on a line: name, arity, flags, and `keys` when it takes any. A test of e2e
// writes it and compares it.
//
//go:embed redis_commands.txt
var redisTable string

// redisFlags are the properties of a command on which its refusal depends.
type redisFlags uint

const (
	redisWrite     redisFlags = 1 << iota // changes the data set
	redisDenyOOM                          // may need more memory
	redisLoading                          // allowed while the data set is loaded
	redisStale                            // allowed on a replica with stale data
	redisNoAuth                           // allowed before AUTH
	redisAllowBusy                        // allowed while a script runs
	redisNoMulti                          // not allowed in a transaction
	redisKeys                             // takes keys
)

// redisFlagNames are the server's own words.
var redisFlagNames = map[string]redisFlags{
	"write": redisWrite, "denyoom": redisDenyOOM, "loading": redisLoading, "stale": redisStale, "no_auth": redisNoAuth,
	"allow_busy": redisAllowBusy, "no_multi": redisNoMulti, "keys": redisKeys,
}

// redisCommand is one line of the table.
type redisCommand struct {
	name  string // in small letters; "client|reply" for a subcommand
	arity int    // with the name; -n: at least n
	flags redisFlags
	known bool
	parts bool // it is a container: the second word says what it does
}

// takes says whether a command may have that many words.
func (c redisCommand) takes(words int) bool {
	return words == c.arity || c.arity < 0 && words >= -c.arity
}

// redisNewer are commands that came after the server of the table. Those who have them must not get around the fault.
const redisNewer = `client|setinfo 4 loading,stale
client|no-touch 3 loading,stale
cluster|myshardid 2 loading,stale
hexpire -6 write,denyoom,keys
hpexpire -6 write,denyoom,keys
hexpireat -6 write,denyoom,keys
hpexpireat -6 write,denyoom,keys
hpersist -5 write,keys
httl -5 keys
hpttl -5 keys
hexpiretime -5 keys
hpexpiretime -5 keys
hgetdel -5 write,keys
hgetex -5 write,keys
hsetex -6 write,denyoom,keys
waitaof 4 none
xackdel -6 write,keys
xdelex -5 write,keys
`

// redisCommands parses the table once.
var redisCommands = sync.OnceValue(func() map[string]redisCommand {
	all := map[string]redisCommand{}
	for line := range strings.Lines(redisNewer + redisTable) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] == "#" {
			continue
		}
		c := redisCommand{name: words[0], known: true}
		c.arity, _ = strconv.Atoi(words[1])
		for name := range strings.SplitSeq(words[2], ",") {
			c.flags |= redisFlagNames[name]
		}
		all[c.name] = c
	}
	for name := range all {
		if container, _, found := strings.Cut(name, "|"); found {
			c := all[container]
			c.parts = true
			all[container] = c
		}
	}
	return all
})

// lookRedis finds a command by its first words. A word of a module (JSON.SET) is one of which nothing is known but that no state allows it.
func lookRedis(words [][]byte) redisCommand {
	name := strings.ToLower(string(words[0]))
	c := redisCommands()[name]
	if c.parts && len(words) > 1 {
		if sub, ok := redisCommands()[name+"|"+strings.ToLower(string(words[1]))]; ok {
			return sub
		}
		return redisCommand{name: name} // the dependency says that there is no such subcommand
	}
	if !c.known && strings.Contains(name, ".") {
		return redisCommand{name: name, arity: -1, known: true, flags: redisKeys}
	}
	if !c.known {
		return redisCommand{name: name}
	}
	return c
}
