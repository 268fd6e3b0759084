package deployfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// KeyRows returns, by the name of each table, the rows that docs/deploy-file.md has to have for its keys.
func KeyRows() map[string]string {
	rows := map[string]string{}
	var visit func(t *table)
	visit = func(t *table) {
		if _, done := rows[t.name]; done {
			return
		}
		rows[t.name] = "" // a table that leads to itself ends here
		var b strings.Builder
		b.WriteString("| key | value | default | |\n|---|---|---|---|\n")
		for _, k := range t.keys {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s. |\n", k.name, valueOf(k), absentOf(k), strings.ReplaceAll(k.about, "|",
				`\|`))
			if k.in != nil {
				visit(k.in)
			}
		}
		rows[t.name] = b.String()
	}
	visit(keysRoot)
	visit(keysIncluded)
	visit(keysDuration)
	for _, t := range stepKeys {
		if t != nil {
			visit(t)
		}
	}
	var b strings.Builder
	places := []place{placeBefore, placeCanary, placeBlue, placeAfter, placeUndo}
	b.WriteString("| step |")
	for _, p := range places {
		b.WriteString(" " + strings.TrimPrefix(p.what, "the steps of ") + " |")
	}
	b.WriteString("\n|---|---|---|---|---|---|\n")
	for _, kind := range allKinds() {
		fmt.Fprintf(&b, "| `%s` |", kind)
		for _, p := range places {
			mark := " "
			if slices.ContainsFunc(p.kinds, func(k sluice.StepKind) bool { return string(k) == kind }) {
				mark = " yes "
			}
			b.WriteString(mark + "|")
		}
		b.WriteString("\n")
	}
	rows["places"] = b.String()
	return rows
}

func absentOf(k key) string {
	switch {
	case k.absent == required:
		return "required"
	case k.absent == "":
		return ""
	case k.form == formChoice && slices.Contains(k.words, k.absent), k.form == formWordOrMap,
		strings.ContainsAny(k.absent[:1], "0123456789"):
		return "`" + k.absent + "`"
	}
	return k.absent
}

func valueOf(k key) string {
	switch k.form {
	case formScalar:
		return "any value"
	case formBool:
		return "`true` or `false`"
	case formWhole:
		return fmt.Sprintf("%d to %d", k.least, k.most)
	case formNumber:
		return "number"
	case formAmount:
		return "whole number, or duration"
	case formDuration:
		return "duration"
	case formTolerance:
		return "whole number, or percentage"
	case formChoice, formWordOrMap:
		text := "`" + strings.Join(k.words, "`, `") + "`"
		if k.form == formWordOrMap {
			text += ", or a map: " + link(k.in)
		}
		return text
	case formTexts:
		return "list of text"
	case formTextMap:
		return "map of values"
	case formMap:
		return link(k.in)
	case formList:
		return "list of " + link(k.in)
	case formNamed:
		return "map of names to " + link(k.in)
	case formSteps:
		return "list of [steps](#steps)"
	case formCommands:
		return "list of commands"
	case formBound:
		return "number, or `baseline`"
	}
	return "text"
}

func link(t *table) string { return "[" + t.name + "](#" + strings.ToLower(t.name) + ")" }
