package proxy

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
	"github.com/rs/zerolog/log"

	"github.com/chaos-startup/chaos/faults"
)

// The names of our toxics in Toxiproxy's registry.
const (
	gateType     = "chaos_gate"
	faultType    = "chaos_fault"
	bufferedType = "chaos_fault_buffered"
)

// chunkBuffer is how many chunks wait before a filter that needs true arrival times (as Toxiproxy's latency toxic has it).
const chunkBuffer = 1024

var register sync.Once

// registerToxics adds our toxics to Toxiproxy's registry, which the process has once, and silences the global logger that
// its bandwidth toxic writes to.
func registerToxics() {
	register.Do(func() {
		log.Logger = zerolog.Nop()
		toxics.Register(gateType, new(gateToxic))
		toxics.Register(faultType, new(faultToxic))
		toxics.Register(bufferedType, new(bufferedFaultToxic))
	})
}

// pump lets both directions run through chains of their own and returns when the connection has ended.
func (c *conn) pump() {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	chain := toxiproxy.NewProxy(server, c.p.c.Name, "", c.p.c.Upstream)
	for _, d := range []faults.Direction{faults.Upstream, faults.Downstream} {
		if err := c.equip(chain, d); err != nil {
			c.p.tell(Event{Kind: Panic, Connection: c.number, At: time.Now(), Err: err})
			c.reset("chaos failed")
			return
		}
	}
	up := &source{c: c, from: c.client, ahead: c.queues[0], client: true, ended: make(chan struct{})}
	down := &source{c: c, from: c.server, ahead: c.queues[1], ended: make(chan struct{})}
	var sending sync.WaitGroup
	for i, q := range c.queues {
		sending.Go(func() {
			if !q.run() {
				if c.silent.Load() && !c.clientGone.Load() {
					<-c.done // what could not be sent to the dead is no news to the service
				}
				c.delivered(q)
				c.reset([]string{"reset by the service", "reset by the dependency"}[i])
			} else if q.closes.Load() {
				c.closeOrderly("closed")
			}
		})
	}
	chain.Toxics.StartLink(server, "up", up, c.queues[0], stream.Upstream)
	chain.Toxics.StartLink(server, "down", down, c.queues[1], stream.Downstream)
	sending.Wait()
	<-up.ended
	<-down.ended
}

// equip builds the chain of one direction: the gate, then every fault that may touch its bytes, all dormant.
func (c *conn) equip(chain *toxiproxy.Proxy, d faults.Direction) error {
	gate, err := add(chain, gateType, "gate", d)
	if err != nil {
		return err
	}
	gate.(*gateToxic).bind(c, d)
	for _, f := range c.p.faults {
		t := faultToxic{c: c, f: f}
		if d == faults.Downstream {
			t.d = 1
		}
		if f.b.Filter != nil {
			t.filter = f.b.Filter(d, f.random(c.number, uint64(d))) // #nosec G115 -- 0 or 1
		}
		if f.b.Stock != nil && f.b.Stock.Direction.Covers(d) {
			t.stock = f.b.Stock
		}
		if t.filter == nil && t.stock == nil {
			continue
		}
		kind := faultType
		if t.filter != nil && t.filter.Buffer() > 0 {
			kind = bufferedType
		}
		toxic, err := add(chain, kind, f.ID, d)
		if err != nil {
			return err
		}
		switch bound := toxic.(type) {
		case *faultToxic:
			*bound = t
		case *bufferedFaultToxic:
			bound.faultToxic = t
		}
		c.p.work.Add(1)
	}
	return nil
}

// add puts a toxic of one of our types into a chain that has no link yet, and returns it to be bound.
func add(chain *toxiproxy.Proxy, kind, name string, d faults.Direction) (toxics.Toxic, error) {
	side := "downstream"
	if d == faults.Upstream {
		side = "upstream"
	}
	spec := fmt.Sprintf(`{"type":%q,"name":%q,"stream":%q,"toxicity":1,"attributes":{}}`, kind, name+"_"+side, side)
	wrapper, err := chain.Toxics.AddToxicJson(strings.NewReader(spec))
	if err != nil {
		return nil, fmt.Errorf("build the chain of %s: %w", name, err)
	}
	return wrapper.Toxic, nil
}

// gateToxic is the first of every chain: it asks the gate before a chunk goes on, and looks for what watches wait for.
type gateToxic struct {
	c       *conn
	watches []Watch
	tail    []byte
}

const watchWindow = 4096

func (g *gateToxic) bind(c *conn, d faults.Direction) {
	g.c = c
	for _, w := range c.p.c.Watches {
		if w.Upstream == (d == faults.Upstream) {
			g.watches = append(g.watches, w)
		}
	}
	c.p.work.Add(1)
}

// Pipe passes chunks until the stream ends or the connection is gone.
func (g *gateToxic) Pipe(stub *toxics.ToxicStub) {
	defer g.c.p.work.Done()
	defer leave(stub)
	defer g.c.recovered()
	for {
		select {
		case chunk := <-stub.Input:
			if g.c.silent.Load() {
				if chunk == nil {
					<-g.c.done
					return
				}
				continue
			}
			if chunk == nil {
				return
			}
			g.c.p.gate()
			g.watch(chunk.Data)
			select {
			case stub.Output <- chunk:
			case <-g.c.done:
				return
			}
		case <-g.c.done:
			return
		case <-stub.Interrupt:
			return
		}
	}
}

// watch runs every watch whose pattern is completed by data.
func (g *gateToxic) watch(data []byte) {
	if len(g.watches) == 0 {
		return
	}
	before := len(g.tail)
	window := append(g.tail, data...)
	for _, w := range g.watches {
		for _, at := range w.Pattern.FindAllIndex(window, -1) {
			if at[1] > before {
				w.Do()
				break
			}
		}
	}
	g.tail = append(g.tail[:0], window[max(0, len(window)-watchWindow):]...)
}

// leave ends a toxic: what still comes is drained until the end of the stream, or Toxiproxy's goroutines would wait for ever.
func leave(stub *toxics.ToxicStub) {
	stub.Close()
	for chunk := range stub.Input {
		if chunk == nil {
			return
		}
	}
}

// recovered turns a panic of a toxic into an event and ends that connection only.
func (c *conn) recovered() {
	if r := recover(); r != nil {
		c.p.tell(Event{Kind: Panic, Connection: c.number, At: time.Now(), Err: fmt.Errorf("panic in a link: %v", r)})
		c.reset("chaos failed")
	}
}

var errNoToxic = errors.New("this version of Toxiproxy has no such toxic")
