package present

import (
	"io"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"github.com/sluice-cd/sluice/internal/engine"
)

// Frame returns what a live view draws of a deployment at a time, on a terminal of that size with 16 colours.
func Frame(s *engine.State, now time.Time, width, height int) string {
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(termenv.ANSI)
	return model{styles: stylesOf(r), shot: snap(s, nil, nil), now: now, width: width, height: height}.View()
}
