package sqltoken

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestLexWritesEveryLiteralAsSQLiteReadsIt(t *testing.T) {
	tests := map[string]struct {
		dialect Dialect
		in, out string
	}{
		"plain":         {PostgreSQL, "select a.b,count(*) from t", `select a.b , count ( * ) from t`},
		"comments":      {PostgreSQL, "select 1 -- one\n/* a /* nested */ b */ + 2", "select 1 + 2"},
		"string":        {PostgreSQL, `select 'it''s; \n'`, `select 'it''s; \n'`},
		"escape string": {PostgreSQL, `select E'a\'b\n'`, "select 'a''b\n'"},
		"dollar":        {PostgreSQL, `select $$a'b$$, $x$c$$d$x$`, `select 'a''b' , 'c$$d'`},
		"param, cast":   {PostgreSQL, `select $1::text, $12`, `select $1 :: text , $12`},
		"operators":     {PostgreSQL, `a->>'b'<=1.5e-3||x`, `a ->> 'b' <= 1.5e-3 || x`},
		"quoted name":   {PostgreSQL, `select "a""B"`, `select "a""B"`},
		"backslash":     {ClickHouse, "insert into `a b` values ('it\\'s')", `insert into "a b" values ( 'it''s' )`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tokens, err := Lex(tc.in, tc.dialect)
			require.NoError(t, err)
			assert.Equal(t, tc.out, Join(tokens))
		})
	}
}

func TestLexRefusesWhatNeverEnds(t *testing.T) {
	for _, in := range []string{"select 'a", `select "a`, "select /* a", "select $x$ a", "select $x", "select (1", "select 1)", "f([1)]"} {
		_, err := Lex(in, PostgreSQL)
		assert.Error(t, err, in)
	}
}

func TestSplitAtSemicolonsAndTopLevelCommas(t *testing.T) {
	tokens, err := Lex("; select f(a, b), 'x;y' ;; drop table t;", PostgreSQL)
	require.NoError(t, err)
	statements := SplitStatements(tokens)
	require.Len(t, statements, 2)
	assert.True(t, Starts(statements[1], "DROP", "table"))
	assert.Len(t, SplitTop(statements[0][1:], ","), 2)
	assert.Equal(t, 7, IndexTop(statements[0], 0, "none", ","))
	assert.Equal(t, 6, Close(statements[0], 2))
}

// What is written back and split again is the same: nothing is lost or invented.
func TestLexJoinLexIsStable(t *testing.T) {
	piece := rapid.SampledFrom([]string{"select", "a", "'x''y'", `"Q"`, "1.5", "$1", "::", "->>", "(", ")", ",", "$$z$$", "--c\n", "E'\\n'", " "})
	rapid.Check(t, func(t *rapid.T) {
		source := ""
		for _, p := range rapid.SliceOf(piece).Draw(t, "pieces") {
			source += p + " "
		}
		first, err := Lex(source, PostgreSQL)
		if err != nil {
			t.Skip("not text that can be split")
		}
		second, err := Lex(Join(first), PostgreSQL)
		if err != nil {
			t.Fatalf("%q: %v", Join(first), err)
		}
		if Join(first) != Join(second) {
			t.Fatalf("%q became %q", Join(first), Join(second))
		}
	})
}

func FuzzLexNeverPanics(f *testing.F) {
	f.Add("select $1::text, E'a\\'b', $$x$$ /* c */ -- d")
	f.Fuzz(func(_ *testing.T, source string) {
		_, _ = Lex(source, PostgreSQL)
		_, _ = Lex(source, ClickHouse)
	})
}
