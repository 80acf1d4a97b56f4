package servers

import (
	"context"
	"fmt"
	"strconv"
	"sync"
)

// numbers hands out the database numbers of a Redis. Number 0 is left to those
// who do not ask for one.
type numbers struct {
	mu    sync.Mutex
	free  []int // given back
	next  int
	limit int
}

func newNumbers(limit int) *numbers { return &numbers{next: 1, limit: limit} }

func (n *numbers) take() (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if last := len(n.free) - 1; last >= 0 {
		number := n.free[last]
		n.free = n.free[:last]
		return number, nil
	}
	if n.next == n.limit {
		return 0, fmt.Errorf("all %d databases are in use: drop namespaces that are done with", n.limit-1)
	}
	n.next++
	return n.next - 1, nil
}

func (n *numbers) give(number int) {
	n.mu.Lock()
	n.free = append(n.free, number)
	n.mu.Unlock()
}

// namespace takes a number. It is flushed before it goes to somebody else.
func (n *numbers) namespace(flush func(context.Context, int) error) (*Namespace, error) {
	number, err := n.take()
	if err != nil {
		return nil, err
	}
	drop := func(ctx context.Context) error {
		if err := flush(ctx, number); err != nil {
			return err
		}
		n.give(number)
		return nil
	}
	return &Namespace{Vars: redisVars(strconv.Itoa(number)), Drop: drop}, nil
}
