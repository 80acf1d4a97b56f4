// Package toxiapi serves Toxiproxy's HTTP API (v2.12) over the proxies of internal/proxy, so that any Toxiproxy client can drive chaos's faults:
// the stock toxics by their names, attributes and units, and every kind of faults.Builtin as a toxic of its own name.
//
// A request that is wrong changes nothing: it is read and checked as a whole before a proxy hears of it. It carries out no fault (internal/proxy
// does), knows no phases and no verdicts, and does not import Toxiproxy.
package toxiapi
