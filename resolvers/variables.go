package resolvers

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"ream/fault"
	"ream/graph"
)

// checkVariables holds variables to their types as GraphQL holds what stands in
// the document itself: the validator lets numbers pass for strings and strings
// for numbers, enum values in any case, and several fields of a @oneOf input.
func checkVariables(schema *ast.Schema, op *graphql.OperationContext) error {
	for _, v := range op.Operation.VariableDefinitions {
		value, given := op.Variables[v.Variable]
		if !given {
			continue
		}
		c := variableCheck{schema: schema, path: ast.Path{ast.PathName(v.Variable)}}
		if problem := c.check(v.Type, value); problem != "" {
			return fault.Input(variableField(op, c.path), "variable $%s: %s", c.path, problem)
		}
	}
	return nil
}

// variableCheck looks for what is wrong in a variable. When it has found
// something, path leads there.
type variableCheck struct {
	schema *ast.Schema
	path   ast.Path
}

// check returns what is wrong with a value of a type; nothing if it is well.
func (c *variableCheck) check(t *ast.Type, value any) (problem string) {
	if value == nil {
		return "" // the validator checks that null is allowed
	}
	if t.Elem != nil {
		list := reflect.ValueOf(value)
		if list.Kind() != reflect.Slice {
			return c.check(t.Elem, value) // stands for a list of one
		}
		for i := range list.Len() {
			if problem := c.within(ast.PathIndex(i), t.Elem, list.Index(i).Interface()); problem != "" {
				return problem
			}
		}
		return ""
	}
	definition := c.schema.Types[t.NamedType]
	switch definition.Kind {
	case ast.InputObject:
		fields, ok := value.(map[string]any)
		if !ok {
			return "want an object"
		}
		return c.object(definition, fields)
	case ast.Enum:
		if name, ok := value.(string); !ok || definition.EnumValues.ForName(name) == nil {
			return "want " + oneOf(len(definition.EnumValues), func(i int) string { return definition.EnumValues[i].Name })
		}
	default:
		return scalar(t.NamedType, value)
	}
	return ""
}

func (c *variableCheck) within(part ast.PathElement, t *ast.Type, value any) string {
	c.path = append(c.path, part)
	problem := c.check(t, value)
	if problem == "" {
		c.path = c.path[:len(c.path)-1]
	}
	return problem
}

func (c *variableCheck) object(definition *ast.Definition, fields map[string]any) string {
	if definition.Directives.ForName("oneOf") != nil {
		given := 0
		for _, value := range fields {
			if value != nil {
				given++
			}
		}
		if given != 1 || len(fields) != 1 {
			return "want exactly " + oneOf(len(definition.Fields), func(i int) string { return definition.Fields[i].Name }) + ", and not null"
		}
	}
	for _, f := range definition.Fields {
		if value, given := fields[f.Name]; given {
			if problem := c.within(ast.PathName(f.Name), f.Type, value); problem != "" {
				return problem
			}
		}
	}
	return ""
}

// scalar returns what is wrong with a value as a scalar; nothing if it is well,
// as far as its kind tells.
func scalar(name string, value any) string {
	switch name {
	case "Int":
		if n, ok := integer(value); !ok || n < math.MinInt32 || n > math.MaxInt32 {
			return "want a whole number of 32 bits"
		}
	case "Int64":
		if _, ok := integer(value); !ok {
			return "want a whole number of 64 bits"
		}
	case "Float":
		switch value.(type) {
		case json.Number, int64, float64:
		default:
			return "want a number"
		}
	case "Boolean":
		if _, ok := value.(bool); !ok {
			return "want true or false"
		}
	case "Upload":
		if _, ok := value.(graph.Upload); !ok {
			return "want a file of a multipart request"
		}
	case "ID":
		if _, ok := integer(value); !ok {
			return text(value)
		}
	default:
		return text(value) // strings, and what is written as such
	}
	return ""
}

// text returns what is wrong with a value as a string.
func text(value any) string {
	switch s, ok := value.(string); {
	case !ok:
		return "want a string"
	case strings.ContainsRune(s, 0):
		return "it holds a NUL character, which no text may have"
	}
	return ""
}

// integer is a number as JSON, the validator, or a default value gives it.
func integer(value any) (int64, bool) {
	switch n := value.(type) {
	case int64:
		return n, true
	case json.Number:
		i, err := strconv.ParseInt(n.String(), 10, 64)
		return i, err == nil
	}
	return 0, false
}

// oneOf tells what there is to choose from.
func oneOf(n int, name func(int) string) string {
	names := make([]string, n)
	for i := range names {
		names[i] = name(i)
	}
	if n == 1 {
		return names[0]
	}
	return "one of " + strings.Join(names[:n-1], ", ") + " and " + names[n-1]
}
