package process

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// Start launches a service in a process group of its own. The error says what
// was looked for when the command cannot be executed, and wraps
// ErrNoInterceptor when Decide is set and connects cannot be intercepted, or
// ErrNoResolvConf when ResolvConf is set and can't be had.
// Whoever got a Process must Close it.
func Start(spec Spec) (*Process, error) {
	path, err := lookup(spec)
	if err != nil {
		return nil, err
	}
	if spec.Marker == "" {
		spec.Marker = randomName()
	}
	if strings.ContainsRune(spec.Marker, 0) {
		return nil, fmt.Errorf("start %s: the marker contains a zero byte", spec.Argv[0])
	}
	if spec.Gate == nil {
		spec.Gate = NewGate()
	}
	adoptOrphans()
	p := &Process{spec: spec, gate: spec.Gate, out: sink{w: spec.Output}, done: make(chan struct{})}
	files, err := p.open()
	if err == nil {
		err = p.launch(path, files)
	}
	closeAll(files...)
	if err != nil {
		return nil, errors.Join(err, p.releaseIO())
	}
	return p, nil
}

// open makes what the service will write into: its standard files, returned
// for the child, and its notify socket.
func (p *Process) open() ([]*os.File, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.spec.Argv[0], err)
	}
	files := []*os.File{null}
	for _, stream := range []Stream{Stdout, Stderr} {
		r, w, err := openPipe(p.gate, &p.out, p.lineTo(stream))
		if err != nil {
			return files, fmt.Errorf("start %s: %w", p.spec.Argv[0], err)
		}
		p.pipes = append(p.pipes, r)
		files = append(files, w)
	}
	if p.spec.Notify == nil {
		return files, nil
	}
	p.notify, err = openNotify(p.gate, p.spec.Folder, p.spec.User, p.spec.Notify)
	if err != nil {
		return files, fmt.Errorf("start %s: %w", p.spec.Argv[0], err)
	}
	return files, nil
}

func (p *Process) lineTo(stream Stream) func(string) {
	if p.spec.Line == nil {
		return func(string) {}
	}
	return func(line string) { p.spec.Line(stream, line) }
}

// launch starts the service on an operating system thread of its own, which
// then waits for the exit. It returns once the service runs.
func (p *Process) launch(path string, files []*os.File) error {
	result := make(chan error, 1)
	p.own.Add(1)
	onOwnThread(func() {
		defer p.own.Done()
		child, err := p.exec(path, files)
		result <- err
		if err == nil {
			p.await(child)
		}
	})
	return <-result
}

// exec runs on the launching thread: what it changes there (the filter, the
// mounts, the parent-death signal) is inherited by the service and by nothing else.
func (p *Process) exec(path string, files []*os.File) (*os.Process, error) {
	extra := []string{MarkerVariable + "=" + p.spec.Marker}
	if p.notify != nil {
		extra = append(extra, "NOTIFY_SOCKET="+p.notify.address)
	}
	if p.spec.ResolvConf != "" {
		if err := mountResolvConf(p.spec.ResolvConf); err != nil {
			return nil, fmt.Errorf("start %s: %w: %w", p.spec.Argv[0], ErrNoResolvConf, err)
		}
	}
	if p.spec.Decide != nil {
		tap, err := intercept(p.spec.Decide, p.spec.Datagrams)
		if err != nil {
			return nil, fmt.Errorf("start %s: %w: %w", p.spec.Argv[0], ErrNoInterceptor, err)
		}
		p.tap = tap
	}
	var child *os.Process
	var err error
	p.gate.Do(func() { // nothing of what it says or does is delivered before it is known here
		p.started = time.Now()
		child, err = os.StartProcess(path, p.spec.Argv, &os.ProcAttr{
			Dir: p.spec.Dir, Env: environment(p.spec.Env, extra...), Files: files, Sys: attributes(p.spec.User),
		})
		if err != nil {
			return
		}
		p.pid = child.Pid
		p.family = newFamily(child.Pid, p.spec.Marker)
		if p.spec.Started != nil {
			p.spec.Started(p)
		}
	})
	if err != nil {
		var sys *os.PathError
		if errors.As(err, &sys) {
			err = sys.Err
		}
		return nil, explain(path, err)
	}
	p.peak.begin()
	return child, nil
}

// await waits for the exit on the launching thread, and tells everybody.
func (p *Process) await(child *os.Process) {
	state, at, err := p.collect(child)
	exit := Exit{At: at}
	if err != nil {
		exit.Code = -1
	} else {
		p.describe(&exit, state)
	}
	p.gate.Do(func() {
		for _, s := range p.pipes {
			s.lines.flush()
		}
		exit.OutputErr = p.out.err
		p.exit = exit
		if p.spec.Exited != nil {
			p.spec.Exited(exit)
		}
		close(p.done)
	})
	// Orphans have just come to us: learn who they are while they can still
	// be told from others.
	p.family.learn()
}

func (p *Process) describe(exit *Exit, state *os.ProcessState) {
	exit.Code = state.ExitCode()
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		exit.Signal = status.Signal()
	}
	exit.CPU = state.UserTime() + state.SystemTime()
	exit.MaxRSS = p.peak.end(state)
}
