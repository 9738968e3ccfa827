package resolvers

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// newRules are those by which documents are checked, anew for each document.
// Whoever misspells a name is told what else there is only if suggest is true.
func newRules(suggest bool) *rules.Rules {
	r := rules.NewDefaultRules()
	r.AddRule("LiteralsOfScalars", checkLiterals)
	if suggest {
		return r
	}
	for name, quiet := range map[string]validator.Rule{
		rules.KnownArgumentNamesRule.Name:  rules.KnownArgumentNamesRuleWithoutSuggestions,
		rules.KnownTypeNamesRule.Name:      rules.KnownTypeNamesRuleWithoutSuggestions,
		rules.ValuesOfCorrectTypeRule.Name: rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
	} {
		r.RemoveRule(name)
		r.AddRule(quiet.Name, quiet.RuleFunc)
	}
	return r
}

// checkLiterals is a rule for what GraphQL's own rule for values lets pass:
// objects for scalars and enums, anything for Ream's own scalars, and texts that
// no database takes.
func checkLiterals(observers *validator.Events, addError validator.AddErrFunc) {
	observers.OnValue(func(_ *validator.Walker, v *ast.Value) {
		if problem := literal(v); problem != "" {
			addError(validator.Message("%s: %s", v.Definition.Name, problem), core.At(v.Position))
		}
	})
}

// literal returns what is wrong with a value in a document, unless GraphQL's own
// rule tells.
func literal(v *ast.Value) string {
	definition := v.Definition
	switch {
	case definition == nil, v.Kind == ast.Variable, v.Kind == ast.NullValue:
		return ""
	case definition.Kind == ast.Enum && v.Kind == ast.ObjectValue:
		return "want one of its values, not an object"
	case definition.Kind != ast.Scalar:
		return ""
	case v.Kind == ast.ListValue && v.ExpectedType != nil && v.ExpectedType.Elem != nil:
		return "" // what is in the list is looked at by itself
	}
	isText := v.Kind == ast.StringValue || v.Kind == ast.BlockValue
	if definition.BuiltIn && !isText && v.Kind != ast.ObjectValue {
		return ""
	}
	value, err := v.Value(nil)
	if err != nil || v.Kind == ast.EnumValue {
		value = nil // no value of any scalar
	}
	if isText && definition.BuiltIn {
		return text(value)
	}
	return scalar(definition.Name, value)
}
