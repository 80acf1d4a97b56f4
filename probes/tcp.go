package probes

import "context"

func tcpKind() Kind {
	return Kind{
		Name:    "tcp",
		Doc:     "Connects and closes. It shows that something listens, not that it works.",
		Example: "tcp: {address: 127.0.0.1:5432}",
		used:    func(s Spec) bool { return s.TCP != nil },
		build:   func(s Spec, _ Env) (attempt, error) { return s.TCP.build() },
	}
}

func (t TCP) build() (attempt, error) {
	if err := checkAddress(t.Address); err != nil {
		return attempt{}, err
	}
	return attempt{ask: func(ctx context.Context) (Answer, error) {
		w, done := newWire(ctx)
		defer done()
		if _, err := w.dial(ctx, "tcp", t.Address); err != nil {
			return Answer{}, unanswered(ctx, "connect to "+t.Address, "a connection", err)
		}
		return Answer{}, nil
	}}, nil
}
