package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for what must happen; only a hang uses it
// up.
const patience = 60 * time.Second

// environ is the service's environment; tests change what they need.
type environ map[string]string

// sound returns an environment in which the service starts well, with a
// database and a Redis database of its own.
func sound(t *testing.T) environ {
	t.Helper()
	need(t, servers.postgres, servers.redis)
	name := database(t)
	return environ{
		"PORT":         "0",
		"DATABASE_URL": "postgres://app:s3cr%40t-pw@" + servers.postgres + "/" + name + "?sslmode=disable",
		"REDIS_URL":    "redis://" + servers.redis + "/" + strings.TrimPrefix(name, "t"),
		"AUTH_URL":     "http://" + servers.auth,
		"LLM_URL":      "http://" + servers.llm,
	}
}

// via returns the environment with one dependency's address replaced.
func (e environ) via(variable, from, to string) environ {
	e[variable] = strings.Replace(e[variable], from, to, 1)
	return e
}

// databaseName is the last part of DATABASE_URL.
func (e environ) databaseName() string {
	return regexp.MustCompile(`/(t\d+)\?`).FindStringSubmatch(e["DATABASE_URL"])[1]
}

// instance is one running service.
type instance struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended

	mu      sync.Mutex
	changed *sync.Cond
	lines   []string
	eof     bool
}

// launch starts the service; the test's end ends it.
func launch(t *testing.T, env environ, flags ...string) *instance {
	t.Helper()
	cmd := exec.Command(binary, flags...)
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	cmd.WaitDelay = time.Second // the fork-child defect keeps the output open
	i := &instance{t: t, cmd: cmd, done: make(chan struct{})}
	i.changed = sync.NewCond(&i.mu)
	require.NoError(t, cmd.Start())
	var reading sync.WaitGroup
	reading.Go(func() { i.read(out) })
	go func() {
		defer close(i.done)
		_ = cmd.Wait()
		_ = in.Close()
		reading.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-i.done
		if t.Failed() {
			t.Logf("output of smd %v:\n%s", flags, i.output())
		}
	})
	return i
}

func (i *instance) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		i.mu.Lock()
		i.lines = append(i.lines, lines.Text())
		i.changed.Broadcast()
		i.mu.Unlock()
	}
	i.mu.Lock()
	i.eof = true
	i.changed.Broadcast()
	i.mu.Unlock()
}

func (i *instance) output() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return strings.Join(i.lines, "\n")
}

// line waits for a log line that matches and returns its submatches.
func (i *instance) line(pattern string) []string {
	i.t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.AfterFunc(patience, i.changed.Broadcast)
	defer late.Stop()
	deadline := time.Now().Add(patience)
	i.mu.Lock()
	defer i.mu.Unlock()
	for n := 0; ; n++ {
		for n < len(i.lines) {
			if m := re.FindStringSubmatch(i.lines[n]); m != nil {
				return m
			}
			n++
		}
		n--
		if i.eof || time.Now().After(deadline) {
			i.t.Fatalf("no line matches %q in:\n%s", pattern, strings.Join(i.lines, "\n"))
		}
		i.changed.Wait()
	}
}

// address waits until the service serves and returns host:port.
func (i *instance) address() string { i.t.Helper(); return i.line(`serving on (\S+)`)[1] }

// completed waits for the end of the startup and returns host:port.
func (i *instance) completed() string {
	i.t.Helper()
	i.line("STARTUP SEQUENCE COMPLETED")
	return i.address()
}

// exit waits for the end of the process and returns its exit code, -1 for a
// signal.
func (i *instance) exit() int {
	i.t.Helper()
	select {
	case <-i.done:
		return i.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		i.t.Fatalf("still running after %s:\n%s", patience, i.output())
		return -1
	}
}

// terminate sends SIGTERM.
func (i *instance) terminate() {
	i.t.Helper()
	require.NoError(i.t, i.cmd.Process.Signal(syscall.SIGTERM))
}

// answer is an HTTP response that has been read.
type answer struct {
	status int
	header http.Header
	text   string
}

// json decodes the body.
func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var body map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.text), &body), a.text)
	return body
}

// call sends one request; headers come in pairs.
func call(t *testing.T, method, url, body string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequest(method, url, bytes.NewBufferString(body))
	require.NoError(t, err)
	for n := 0; n < len(headers); n += 2 {
		request.Header.Set(headers[n], headers[n+1])
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Header, string(text)}
}

func get(t *testing.T, url string, headers ...string) answer {
	t.Helper()
	return call(t, http.MethodGet, url, "", headers...)
}

// token asks the auth service for a token.
func token(t *testing.T, expired bool) string {
	t.Helper()
	a := call(t, http.MethodPost, "http://"+servers.auth+"/token", fmt.Sprintf(`{"user":"ada","expired":%v}`, expired))
	require.Equal(t, http.StatusOK, a.status, a.text)
	return a.json(t)["token"].(string)
}
