package litepg

import (
	"context"

	"github.com/chaos-startup/chaos/internal/servers/sqltoken"
)

var boolOperators = []string{
	"=", "<>", "!=", "<", ">", "<=", ">=", "and", "or", "not", "is", "in", "like", "ilike", "between", "exists", "~", "!~", "~*", "@>", "<@",
}

var operatorWords = append([]string{"+", "-", "*", "/", "%", "||", "->>", "->"}, boolOperators...)

// infer judges the type of an expression in the result list of source. The order
// is that of binding: what binds least decides. The zero type means that the form
// does not tell.
func (d *describer) infer(ctx context.Context, source, item []tok) typ {
	item = unwrap(withoutAlias(item))
	if len(item) == 0 {
		return typ{}
	}
	if item[0].Is("case") {
		return d.inferCase(ctx, source, item)
	}
	if sqltoken.IndexTop(item, 0, boolOperators...) >= 0 {
		return typeBool
	}
	if sqltoken.IndexTop(item, 0, "||", "->>") >= 0 {
		return typeText
	}
	if i := sqltoken.IndexTop(item, 1, "+", "-", "*", "/", "%"); i > 0 {
		return d.inferArithmetic(ctx, source, item, i)
	}
	if i := lastCast(item); i > 0 {
		t, _ := typeAt(item[i+1:])
		return t
	}
	if item[0].IsAny("-", "+") {
		return d.infer(ctx, source, item[1:])
	}
	if item[0].Is("select") {
		return d.inferSubquery(ctx, item)
	}
	return d.inferOperand(ctx, source, item)
}

func (d *describer) inferOperand(ctx context.Context, source, item []tok) typ {
	if len(item) == 1 {
		if t, ok := literalType(item[0]); ok {
			return t
		}
		if i := paramIndex(item[0]); i >= 0 && i < len(d.params) {
			return typ{oid: d.params[i]}
		}
		switch {
		case item[0].IsAny("current_timestamp", "localtimestamp"):
			return typeTimestamptz
		case item[0].Is("current_date"):
			return typeDate
		}
	}
	if len(item) > 2 && item[1].Is("(") {
		return d.inferCall(ctx, source, item)
	}
	if len(item) == 2 && item[1].Kind == sqltoken.String {
		if t, n := typeAt(item[:1]); n == 1 {
			return t
		}
	}
	return d.inferColumn(ctx, source, item)
}

func (d *describer) inferCall(ctx context.Context, source, item []tok) typ {
	name := item[0].Name()
	end := sqltoken.Close(item, 1)
	if end < 0 {
		return typ{}
	}
	arguments := sqltoken.SplitTop(item[2:end], ",")
	if name == "cast" && len(arguments) == 1 {
		if as := sqltoken.IndexTop(arguments[0], 0, "as"); as > 0 {
			if t, n := typeAt(arguments[0][as+1:]); n > 0 {
				return t
			}
		}
	}
	t, known := functionTypes[name]
	if !known || t.oid != 0 || len(arguments) == 0 {
		return t
	}
	t = d.infer(ctx, source, arguments[0])
	if name == "sum" {
		return sumType(t)
	}
	return t
}

func (d *describer) inferCase(ctx context.Context, source, item []tok) typ {
	then := sqltoken.IndexTop(item, 1, "then")
	if then < 0 {
		return typ{}
	}
	end := sqltoken.IndexTop(item, then+1, "when", "else", "end")
	if end < 0 {
		return typ{}
	}
	return d.infer(ctx, source, item[then+1:end])
}

func (d *describer) inferArithmetic(ctx context.Context, source, item []tok, operator int) typ {
	left := d.infer(ctx, source, item[:operator])
	if operator+1 < len(item) && item[operator+1].Is("interval") {
		return left
	}
	right := d.infer(ctx, source, item[operator+1:])
	order := []typ{typeFloat8, typeNumeric, typeInt8, typeInt4}
	for _, t := range order {
		if left.oid == t.oid || right.oid == t.oid {
			return t
		}
	}
	return left
}

// inferColumn asks for the column in the place of the whole result list, which
// finds what stands inside of max(column) or coalesce(column, 0).
func (d *describer) inferColumn(ctx context.Context, source, item []tok) typ {
	verb := mainVerb(source)
	if !source[verb].Is("select") {
		return typ{}
	}
	end := itemsEnd(source, verb+1)
	query := append(append(append([]tok{}, source[:verb+1]...), item...), source[end:]...)
	return d.inferQuery(ctx, query)
}

func (d *describer) inferQuery(ctx context.Context, query []tok) typ {
	rows, err := d.probe(ctx, query)
	if err != nil || len(rows.decls) == 0 {
		return typ{}
	}
	return declared[rows.decls[0]]
}

func (d *describer) inferSubquery(ctx context.Context, query []tok) typ {
	if t := d.inferQuery(ctx, query); t.oid != 0 {
		return t
	}
	if items := selectItems(query); len(items) > 0 {
		return d.infer(ctx, query, items[0])
	}
	return typ{}
}

// notAliases are words that can end an expression.
var notAliases = []string{"end", "precision", "varying", "zone", "null", "true", "false", "unknown", "current_timestamp", "current_date"}

// withoutAlias is the expression of a result column without its name.
func withoutAlias(item []tok) []tok {
	if i := sqltoken.IndexTop(item, 1, "as"); i > 0 {
		return item[:i]
	}
	n := len(item)
	if n < 2 || item[n-1].Name() == "" || item[n-1].Kind == sqltoken.Word && item[n-1].IsAny(notAliases...) {
		return item
	}
	before := item[n-2]
	if before.IsAny(boolOperators...) || before.Kind == sqltoken.Op && !before.Is(")") && !before.Is("]") || before.Is("distinct") {
		return item
	}
	return item[:n-1]
}

func unwrap(item []tok) []tok {
	for len(item) > 2 && item[0].Is("(") && sqltoken.Close(item, 0) == len(item)-1 {
		item = item[1 : len(item)-1]
	}
	return item
}

func lastCast(item []tok) int {
	last := -1
	for i := sqltoken.IndexTop(item, 0, "::"); i >= 0; i = sqltoken.IndexTop(item, i+1, "::") {
		last = i
	}
	return last
}
