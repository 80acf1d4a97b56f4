package runner

import (
	"sync"
	"time"
)

// claims is what is known of the service's claim to be ready. Safe for concurrent use.
type claims struct {
	mu       sync.Mutex
	stands   bool          // it claims to be ready
	came     time.Time     // since when
	done     bool          // the proofs ran to their end
	lifts    int64         // how many faults had been lifted when they began
	asked    chan struct{} // prove once more
	claimedC chan struct{} // closed by a claim in the log
}

func (c *claims) standing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stands
}

func (c *claims) since() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.came
}

// claim notes a claim and says whether it is new.
func (c *claims) claim() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.stands
	if c.stands = true; !was {
		c.came = time.Now()
	}
	if !was && c.claimedC != nil {
		close(c.claimedC)
		c.claimedC = nil
	}
	return !was
}

// lost notes that the claim does not stand any more, and says whether it stood.
func (c *claims) lost() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.stands
	c.stands, c.done = false, false
	return was
}

func (c *claims) examined() (bool, int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done, c.lifts
}

func (c *claims) proved(lifts int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done, c.lifts = c.stands, lifts
}

// again asks for one more examination.
func (c *claims) again() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done && c.asked != nil {
		c.done = false
		close(c.asked)
		c.asked = nil
	}
}

func (c *claims) asking() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = make(chan struct{})
	return c.asked
}

// byLog returns a channel that is closed when the log claims readiness.
func (c *claims) byLog() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan struct{})
	if c.stands {
		close(ch)
		return ch
	}
	c.claimedC = ch
	return ch
}
