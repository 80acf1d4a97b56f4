package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// standalone serves one of the helper services until SIGTERM.
func standalone(name string, handler http.Handler, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("smd "+name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	address := flags.String("listen", "127.0.0.1:0", "address to listen on, host:port")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		return exitConfig
	}
	ctx, stop := interruptible(false)
	defer stop()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "smd %s: %v; give another --listen\n", name, err)
		return exitConfig
	}
	_, _ = fmt.Fprintf(stdout, "listening on %s\n", listener.Addr())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		_, _ = fmt.Fprintf(stderr, "smd %s: %v\n", name, err)
		return exitServing
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if server.Shutdown(drain) != nil {
		_ = server.Close() // the drain was too long: end what is left
	}
	<-served //nolint:errcheck // it was told to end, and says so
	return exitOK
}
