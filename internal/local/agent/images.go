package agent

import "path/filepath"

// SetImages adds programs for images and keeps those of other images.
func (a *Agent) SetImages(images map[string]Image) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, image := range images {
		a.images[name] = image
	}
	return writeJSON(filepath.Join(a.dir, "images.json"), a.images)
}
