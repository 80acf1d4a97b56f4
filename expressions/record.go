package expressions

import "fmt"

// Record is what was seen of one trial, as expressions see it. Variables and lists that are not set are empty.
type Record struct {
	one   map[string]*Object   // by kind, for variables
	lists map[string][]*Object // by kind
}

// NewRecord returns an empty record: every variable exists, and nothing of it has a value.
func NewRecord() *Record {
	r := &Record{one: map[string]*Object{}, lists: map[string][]*Object{}}
	for _, k := range Vocabulary() {
		if k.Variable != "" {
			r.one[k.Name] = newObject(k, "")
		}
	}
	return r
}

// Variable returns the object that the variable of a kind is, to be filled.
func (r *Record) Variable(kind string) *Object { return r.one[kind] }

// Add appends an object to the list of a kind and returns it, to be filled. Its name is what the function of the kind finds it by; of
// several with one name it finds the last.
func (r *Record) Add(kind, name string) *Object {
	k, known := kindNamed(kind)
	if !known {
		panic("expressions: no kind " + kind)
	}
	o := newObject(k, name)
	r.lists[kind] = append(r.lists[kind], o)
	return o
}

// named finds an object by its name. One of which nothing was seen has its name and nothing else.
func (r *Record) named(kind Kind, name string) *Object {
	list := r.lists[kind.Name]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].name == name {
			return list[i]
		}
	}
	return newObject(kind, name)
}

// Object is one thing of a Record: a trial, a dependency, a phase.
type Object struct {
	kind     Kind
	name     string
	label    string // how an expression would call it: `phase("cache")`
	values   map[string]any
	evidence []int
}

func newObject(k Kind, name string) *Object {
	o := &Object{kind: k, name: name, values: map[string]any{}}
	switch {
	case k.Variable != "":
		o.label = k.Variable
	case k.Function != "":
		o.label = fmt.Sprintf("%s(%q)", k.Function, name)
	default:
		o.label = "the " + k.Name + " " + name
	}
	if _, has := k.field("name"); has {
		o.values["name"] = name
	}
	return o
}

// Set gives a field its value: a float64, int, int64, string, bool, []float64 or map[string]int, or a pointer to one of these, of which nil leaves the field
// without a value. A field that the vocabulary lacks is a mistake in the program, and panics.
func (o *Object) Set(field string, value any) *Object {
	f, known := o.kind.field(field)
	if !known {
		panic("expressions: " + o.kind.Name + " has no field " + field)
	}
	if v, ok := plain(value); ok {
		o.values[f.Name] = v
	}
	return o
}

// SetAll sets those of the values that the vocabulary has; what it lacks is left out.
func (o *Object) SetAll(values map[string]float64) *Object {
	for name, v := range values {
		switch f, known := o.kind.field(name); {
		case known && f.Type == Int:
			o.values[name] = int64(max(0, min(v, 1<<53)))
		case known:
			o.values[name] = v
		}
	}
	return o
}

// Shown adds the positions of the events that show the values of the object.
func (o *Object) Shown(at ...int) *Object {
	for _, i := range at {
		if i >= 0 {
			o.evidence = append(o.evidence, i)
		}
	}
	return o
}

// plain takes pointers away; ok is false when there is no value.
func plain(value any) (v any, ok bool) {
	switch v := value.(type) {
	case *float64:
		if v == nil {
			return nil, false
		}
		return *v, true
	case *int:
		if v == nil {
			return nil, false
		}
		return int64(*v), true
	case int:
		return int64(v), true
	case []float64:
		return v, len(v) > 0
	case map[string]int:
		if v == nil {
			v = map[string]int{} // none of any kind
		}
		return v, true
	}
	return value, value != nil
}

// noValue is the error of whoever asks for a field that has none. It is honest about why.
type noValue struct {
	object *Object
	field  Field
}

// Error says which value is missing, and why.
func (e noValue) Error() string {
	return fmt.Sprintf("%s.%s has no value: %s", e.object.label, e.field.Name, e.field.Absent)
}
