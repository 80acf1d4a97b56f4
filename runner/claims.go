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
	done     bool          // it was examined to the end
	fails    bool          // ... and a proof fails
	lifts    int64         // how many faults had been lifted when that began
	denied   time.Time     // when the last ask was begun that showed a claim to be taken back
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

// deny notes when the ask was begun that showed that a claim does not stand any more.
func (c *claims) deny(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.denied = at
}

func (c *claims) deniedAt() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.denied
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

func (c *claims) failing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fails
}

// proved notes whether the claim was examined to the end, and whether a proof fails. It says whether that it was is news.
func (c *claims) proved(done, fails bool, lifts int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	done = done && c.stands
	news := c.done != done || c.lifts != lifts
	c.done, c.fails, c.lifts = done, fails, lifts
	return news
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
