package faults

// bandwidth is a narrow link.
func bandwidth() Kind {
	return Kind{
		Name:    "bandwidth",
		Doc:     "A narrow or crowded link: bytes arrive at a limited rate for each connection and direction. Small answers hardly notice, big ones crawl.",
		Client:  "Data comes in pieces at no more than the rate; nothing is lost.",
		Example: "{on: postgres, from: start, fault: {bandwidth: 100}}",
		Params: []Param{
			// Rate 0 is unlimited in Toxiproxy and a negative one panics. The upper limit keeps rate*100 far from overflow.
			{Name: "rate", Type: TypeInt, Default: int64(100), Min: int64(1), Max: int64(10_000_000), Unit: "KB/s",
				Doc: "The most that passes, in kilobytes (1000 bytes) per second."},
			directionParam(),
		},
		Behave: func(s Spec) Behaviour {
			return Behaviour{Stock: &Stock{Type: "bandwidth", Direction: s.direction(), Attributes: map[string]any{"rate": s.Int("rate")}}}
		},
	}
}
