package agent

import "strings"

// expand replaces $(NAME) by its value as Kubernetes does: unknown names stay as they are written, and $$ stands for $.
func expand(s string, get func(string) (string, bool)) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 || i == len(s)-1 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i:]
		end := strings.IndexByte(s, ')')
		switch {
		case s[1] == '$':
			b.WriteByte('$')
			s = s[2:]
		case s[1] != '(' || end < 0:
			b.WriteByte('$')
			s = s[1:]
		default:
			value, ok := get(s[2:end])
			if !ok {
				value = s[:end+1]
			}
			b.WriteString(value)
			s = s[end+1:]
		}
	}
}
