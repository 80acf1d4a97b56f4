package faults

// String returns the name of the direction in a file.
func (d Direction) String() string {
	switch d {
	case Upstream:
		return "upstream"
	case Both:
		return "both"
	}
	return "downstream"
}

// directionParam is the parameter that several kinds share.
func directionParam() Param {
	return Param{Name: "direction", Type: TypeEnum, Default: Downstream.String(),
		Enum: []string{Downstream.String(), Upstream.String(), Both.String()},
		Doc:  "Which traffic feels it: what the dependency answers, what the service sends, or both."}
}

// bothWays is that parameter for a kind that is felt both ways unless one is named.
func bothWays(p Param) Param {
	p.Default = Both.String()
	return p
}

// direction reads that parameter.
func (s Spec) direction() Direction {
	switch s.Text("direction") {
	case Upstream.String():
		return Upstream
	case Both.String():
		return Both
	}
	return Downstream
}
