package expressions

import (
	"errors"
	"fmt"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// typeName is the name of a kind as a type of CEL.
func typeName(k Kind) string { return "chaos." + k.Name }

func objectType(k Kind) *types.Type { return types.NewObjectType(typeName(k)) }

// celType translates the type of a field.
func celType(t Type) *types.Type {
	switch t {
	case Double:
		return types.DoubleType
	case Int:
		return types.IntType
	case String:
		return types.StringType
	case Bool:
		return types.BoolType
	case Times:
		return types.NewListType(types.DoubleType)
	case Counts:
		return types.NewMapType(types.StringType, types.IntType)
	}
	return types.DynType
}

// provider tells CEL the types of the vocabulary and turns objects into values.
type provider struct {
	*types.Registry
	kinds map[string]Kind // by type name
}

func newProvider() (*provider, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("make CEL's types: %w", err)
	}
	p := &provider{Registry: registry, kinds: map[string]Kind{}}
	for _, k := range Vocabulary() {
		p.kinds[typeName(k)] = k
	}
	return p, nil
}

// FindStructType is of types.Provider.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if k, ok := p.kinds[name]; ok {
		return types.NewTypeTypeWithParam(objectType(k)), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames is of types.Provider.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	k, ok := p.kinds[name]
	if !ok {
		return p.Registry.FindStructFieldNames(name)
	}
	var names []string
	for _, f := range k.Fields {
		names = append(names, f.Name)
	}
	return names, true
}

// FindStructFieldType is of types.Provider.
func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	k, ok := p.kinds[name]
	if !ok {
		return p.Registry.FindStructFieldType(name, field)
	}
	f, ok := k.field(field)
	if !ok {
		return nil, false
	}
	return &types.FieldType{
		Type: celType(f.Type),
		IsSet: func(target any) bool {
			o, ok := target.(*Object)
			return ok && o.values[f.Name] != nil
		},
		GetFrom: func(target any) (any, error) {
			o, ok := target.(*Object)
			if !ok {
				return nil, fmt.Errorf("read %s of %T: not of the vocabulary", f.Name, target)
			}
			if v := o.values[f.Name]; v != nil {
				return v, nil
			}
			return nil, noValue{o, f}
		},
	}, true
}

// NativeToValue is of types.Adapter.
func (p *provider) NativeToValue(v any) ref.Val {
	switch v := v.(type) {
	case *Object:
		return object{v}
	case []*Object:
		list := make([]ref.Val, len(v))
		for i, o := range v {
			list[i] = object{o}
		}
		return types.NewRefValList(p, list)
	}
	return p.Registry.NativeToValue(v)
}

// object is an Object as a value of CEL.
type object struct{ of *Object }

// ConvertToNative is of ref.Val.
func (o object) ConvertToNative(reflect.Type) (any, error) {
	return nil, errors.New(o.of.label + " is an object, not a plain value")
}

// ConvertToType is of ref.Val.
func (o object) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return objectType(o.of.kind)
	}
	return types.NewErr("%s cannot be converted to %s", o.of.label, t.TypeName())
}

// Equal is of ref.Val: an object equals itself only.
func (o object) Equal(other ref.Val) ref.Val {
	v, ok := other.(object)
	return types.Bool(ok && v.of == o.of)
}

// Type is of ref.Val.
func (o object) Type() ref.Type { return objectType(o.of.kind) }

// Value is of ref.Val.
func (o object) Value() any { return o.of }
