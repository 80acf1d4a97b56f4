package e2e

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rabbit is a real RabbitMQ, in a folder of its own and on loopback only.
type rabbit struct {
	addr string
	env  []string
}

// rabbitBin is where Debian has the programs themselves; those in the path switch to another user and its folder.
const rabbitBin = "/usr/lib/rabbitmq/bin"

// startRabbit starts a node, with a port mapper of its own, so that nothing of another node is met and nothing is left behind.
func startRabbit(t *testing.T) *rabbit {
	t.Helper()
	program := filepath.Join(rabbitBin, "rabbitmq-server")
	if _, err := os.Stat(program); err != nil {
		installed(t, "rabbitmq-server-of-Debian")
	}
	dir := t.TempDir()
	_, mapper := freeAddr(t)
	_, wire := freeAddr(t)
	_, nodes := freeAddr(t)
	r := &rabbit{addr: net.JoinHostPort("127.0.0.1", wire)}
	r.env = append(os.Environ(), "HOME="+dir, "RABBITMQ_NODENAME=chaos"+wire+"@localhost", "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT="+wire,
		"RABBITMQ_DIST_PORT="+nodes, "ERL_EPMD_ADDRESS=127.0.0.1", "ERL_EPMD_PORT="+mapper, "RABBITMQ_MNESIA_BASE="+dir, "RABBITMQ_LOG_BASE="+dir,
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "plugins"), "RABBITMQ_PID_FILE="+filepath.Join(dir, "pid"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "none"), "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}", "ERL_CRASH_DUMP_SECONDS=0")
	r.run(t, dir, "epmd", "-address", "127.0.0.1", "-port", mapper)
	listens(t, net.JoinHostPort("127.0.0.1", mapper), patience)
	r.run(t, dir, program)
	listens(t, r.addr, 6*patience)
	return r
}

// run starts a program in a process group of its own, which ends with the test.
func (r *rabbit) run(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	log, err := os.CreateTemp(dir, "log")
	require.NoError(t, err)
	defer log.Close()
	c := exec.Command(installed(t, program), args...)
	c.Dir, c.Env, c.Stdout, c.Stderr = dir, r.env, log, log
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		_ = c.Wait()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s: %.4000s", program, text)
		}
	})
}

func listens(t *testing.T, addr string, limit time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, limit, 50*time.Millisecond, "nobody listens on %s", addr)
}

// control asks the node to do something.
func (r *rabbit) control(t *testing.T, args ...string) string {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 4*patience)
	defer stop()
	c := exec.CommandContext(ctx, filepath.Join(rabbitBin, "rabbitmqctl"), args...)
	c.Env = r.env
	out, err := c.CombinedOutput()
	require.NoError(t, err, "rabbitmqctl %v: %s", args, out)
	return string(out)
}
