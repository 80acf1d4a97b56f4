package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/proxy"
)

// childEnv makes this binary a peer: a childSpec in JSON.
const childEnv = "CHAOS_BENCH_PEER"

// childSpec says which proxy the binary is. It prints its address and lives until its standard input ends.
type childSpec struct {
	Play     string        // ours (internal/proxy), bare (io.Copy between two connections), echo and http (upstreams), load (internal/loadgen)
	Upstream string        // host:port
	Fault    string        // a fault that it holds ready; empty: none
	Value    any           // of the fault's first parameter; nil: as it is by default
	Dormant  bool          // the fault is not armed
	For      time.Duration // of a load
}

// play is the main of such a peer. It returns the exit code.
func play(text string) int {
	var spec childSpec
	err := json.Unmarshal([]byte(text), &spec)
	if err == nil {
		switch spec.Play {
		case "ours":
			err = playOurs(spec)
		case "bare":
			err = accept(func(c *net.TCPConn) { splice(c, spec.Upstream) })
		case "http":
			err = playHTTP()
		case "load":
			err = playLoad(spec)
		case "echo":
			err = accept(func(c *net.TCPConn) { echoMany(c) })
		default:
			err = fmt.Errorf("play what: %q", spec.Play)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench peer:", err)
		return 1
	}
	return 0
}

func playOurs(spec childSpec) error {
	c := proxy.Config{Name: "bench", Upstream: spec.Upstream}
	if spec.Fault != "" {
		fault, problems := faults.Parse(spec.Fault, spec.Value)
		if len(problems) > 0 {
			return errors.New(problems[0].String())
		}
		c.Injections = []proxy.Injection{{ID: "fault", Fault: fault}}
	}
	p, err := proxy.Start(context.Background(), c)
	if err != nil {
		return err
	}
	if spec.Fault != "" && !spec.Dormant {
		p.Arm("fault")
	}
	fmt.Println(p.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return p.Close(ctx)
}

// accept treats every connection in a goroutine of its own.
func accept(treat func(*net.TCPConn)) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				fmt.Fprintln(os.Stderr, "bench peer:", err)
				os.Exit(1)
			}
			go func() {
				defer c.Close()
				treat(c.(*net.TCPConn))
			}()
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// splice is the least that a Go proxy can be: what the kernel copies, and no more.
func splice(client *net.TCPConn, upstream string) {
	c, err := net.Dial("tcp", upstream)
	if err != nil {
		return
	}
	server := c.(*net.TCPConn)
	defer server.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(server, client)
		_ = server.CloseWrite()
	}()
	_, _ = io.Copy(client, server)
	_ = client.CloseWrite()
	<-done
}
