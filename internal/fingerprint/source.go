package fingerprint

import "context"

// A Source is a database that a comparison reads again. A key is bytes that sort as the engine sorts documents, and no
// two documents of a collection have the same. A collection that does not exist has no documents.
type Source interface {
	// Hashes calls visit with the key and the hash of every document of the selection, in any order and from several
	// goroutines. The bytes of the key are only valid during the call. An error of visit ends the reading.
	Hashes(ctx context.Context, s Selection, visit func(key []byte, hash Hash) error) error
	// Outlines returns the outline of the document of each key. It is nil for a document that is gone, and for documents
	// that together are too large to be described.
	Outlines(ctx context.Context, d Documents) ([]*Outline, error)
	// Names returns each key as a person writes it, no two alike.
	Names(ctx context.Context, keys []string) ([]string, error)
}

// A Selection is the documents of a collection whose keys are in a batch. The fields Without are not hashed.
type Selection struct {
	Collection string   `json:"collection"`
	Without    []string `json:"without,omitempty"`
	In         Batch    `json:"in"`
}

// Documents are those of some keys of a collection, without the fields Without.
type Documents struct {
	Collection string   `json:"collection"`
	Without    []string `json:"without,omitempty"`
	Keys       []string `json:"-"` // bytes, not text
}
