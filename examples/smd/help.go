package main

import (
	"fmt"
	"io"
)

// #nosec G101 -- an example, not a credential
const helpHead = `smd: the reference service with a seven-phase startup

  smd [flags]                            the service
  smd auth-server [--listen HOST:PORT]   its auth service
  smd llm-server [--listen HOST:PORT]    its language model API

Environment:
  PORT                 port to serve on, 0 for any (HOST: 127.0.0.1)
  DATABASE_URL         postgres://user:password@host:5432/database
  REDIS_URL            redis://:password@host:6379/0
  AUTH_URL, LLM_URL    http://host:port
  CLICKHOUSE_URL       http://host:8123; optional (CLICKHOUSE_DATABASE: default)
  RATE_LIMIT           requests per second on /api/limited (20)
  CORS_ORIGIN          the origin that browsers may come from (http://localhost:3000)

Flags:
`

const helpTail = `
Exit codes: 0 stopped by SIGTERM or SIGINT, 1 the configuration is wrong,
3 a phase failed, 4 the HTTP server broke later.

Defects (--defect NAME), each a weakness for an experiment to find:
`

func printHelp(w io.Writer) {
	_, _ = fmt.Fprint(w, helpHead)
	flags := new(Config).flags()
	flags.SetOutput(w)
	flags.PrintDefaults()
	_, _ = fmt.Fprint(w, helpTail)
	printDefects(w)
}
