// Command smd is the reference service for startup experiments: a chat backend
// that starts in seven strict phases and says so, line by line.
//
// It is written like anybody's service and refuses to know who watches it: it
// imports nothing from the experiment tool. Its weaknesses are switched on by
// --defect and are listed in defects.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/chaos-startup/chaos/examples/smd/internal/authserver"
	"github.com/chaos-startup/chaos/examples/smd/internal/llmserver"
	"github.com/chaos-startup/chaos/examples/smd/internal/startup"
)

// The exit codes of smd.
const (
	exitOK      = 0
	exitConfig  = 1 // the configuration is wrong; no phase has begun
	exitCrashed = 2 // as after a fatal error of Go's runtime
	exitStartup = 3 // a phase failed
	exitServing = 4 // the HTTP server broke after a good start
)

func main() { os.Exit(dispatch(os.Args[1:], os.Getenv, os.Stdout, os.Stderr)) }

func dispatch(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		switch args[0] {
		case "auth-server":
			handler, err := authserver.New()
			if err != nil {
				_, _ = fmt.Fprintf(stderr, "smd auth-server: %v\n", err)
				return exitConfig
			}
			return standalone(args[0], handler, args[1:], stdout, stderr)
		case "llm-server":
			return standalone(args[0], llmserver.New(), args[1:], stdout, stderr)
		case "linger":
			return linger()
		}
	}
	return serve(args, getenv, stdout, stderr)
}

// serve runs the service itself.
func serve(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	config, err := loadConfig(args, getenv)
	if errors.Is(err, flag.ErrHelp) {
		printHelp(stdout)
		return exitOK
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "smd: configuration: %v\nsmd: see smd --help\n", err)
		return exitConfig
	}
	ctx, stop := interruptible(config.Defects.Has(IgnoreSIGTERM))
	defer stop()
	log := newLogger(stdout, config.secrets())
	service, err := newService(config, log)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "smd: configuration: %v\n", err)
		return exitConfig
	}
	return service.run(ctx)
}

// interruptible returns a context that SIGTERM or SIGINT cancels with
// startup.ErrInterrupted as the cause.
func interruptible(deafToTERM bool) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case got := <-signals:
				if deafToTERM && got == syscall.SIGTERM { // defect: ignore-sigterm
					continue
				}
				cancel(startup.ErrInterrupted)
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
		<-done
	}
}
