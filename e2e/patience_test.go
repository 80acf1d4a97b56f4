package e2e

import "time"

// patience is how long anything may take that must happen: it bounds a test that fails.
const patience = 30 * time.Second
