package faults

// Kind is one entry of the catalogue.
type Kind struct {
	Name    string  // as it is written in a file
	Doc     string  // what it plays in real life and what to know about it; sentences
	Client  string  // what the client meets: the errno, the silence, the end of the stream
	Example string  // one inject entry, in YAML
	Params  []Param // the first is the one that a single value sets (`latency: 3s`)

	// Protocols are those of a dependency that the fault can speak, in the words of `protocol:`; nil: any.
	Protocols []string

	// Sees are what known clients make of it, as they say it; it is shared and must not be changed.
	Sees []Sight

	// Behave makes the behaviour from a Spec of this kind that Parse accepted.
	Behave func(Spec) Behaviour

	// check reports parameters that are fine each and impossible together; nil: there are none such.
	check func(Spec) []Problem
}

// Builtin returns every kind, in the order in which the documentation lists them. The slice is the caller's own.
func Builtin() []Kind {
	kinds := []Kind{
		refuse(),
		hang(),
		cut(),
		acceptClose(),
		slowAccept(),
		maxConnections(),
		reset(),
		blackhole(),
		halfOpen(),
		timeout(),
		stall(),
		latency(),
		brownout(),
		loss(),
		bandwidth(),
		slicer(),
		slowClose(),
		limitData(),
		corrupt(),
		garbage(),
		flap(),
		dns(),
		tlsFailure(),
		redisError(),
		natsError(),
		amqpError(),
		httpError(),
		grpcError(),
		websocketError(),
		postgresError(),
		mysqlError(),
	}
	for i := range kinds {
		kinds[i].Sees = sights[kinds[i].Name]
	}
	return kinds
}

// Lookup returns the kind of that name.
func Lookup(name string) (Kind, bool) {
	for _, k := range Builtin() {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

// names lists the kinds.
func names() []string {
	var list []string
	for _, k := range Builtin() {
		list = append(list, k.Name)
	}
	return list
}

// param returns the parameter of that name.
func (k Kind) param(name string) (Param, bool) {
	for _, p := range k.Params {
		if p.Name == name {
			return p, true
		}
	}
	return Param{}, false
}

// paramNames lists the parameters.
func (k Kind) paramNames() []string {
	var list []string
	for _, p := range k.Params {
		list = append(list, p.Name)
	}
	return list
}
