package sluice

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode"
)

// A Writing says on whose behalf objects are written.
type Writing struct {
	Application string   // whose objects they are; "": nobody's
	TakeOver    []string // the managers whose fields it may take although they have other values
}

// Writers is the ability of an account that records who set each field.
//
// An object belongs to the applications that applied it. An application can apply what another one applied as long as
// no value changes. To change or delete it is a Conflict that names the other application, unless TakeOver names its
// manager.
type Writers interface {
	// For returns the writer for an application, and the adopter. The managers in TakeOver lose every field that these
	// apply; Restore gives them back.
	For(w Writing) (ClusterWriter, Adopter)
}

// Owners are the managers whose fields stand in the way of a write. They are the cause of a Conflict, without a text.
type Owners []string

// Error implements error.
func (Owners) Error() string { return "" }

// Flag returns the flag that takes their fields over, as it is typed.
func (o Owners) Flag() string {
	list := strings.Join(o, ",")
	if strings.ContainsFunc(list, func(r rune) bool { return !isPlain(r) }) {
		list = "'" + strings.ReplaceAll(list, "'", `'\''`) + "'"
	}
	return "--take-over " + list
}

// isPlain reports whether a shell leaves the character as it is.
func isPlain(r rune) bool {
	return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(",.:-_/@", r))
}

// Manager is the name under which Sluice writes objects for no application if the account records who set each field.
// Earlier versions wrote everything under it.
const Manager = "sluice"

// maxManager bounds the name of a manager in a cluster.
const maxManager = 128

// ManagerOf returns the name under which Sluice writes the objects of the application.
func ManagerOf(application string) string {
	name := Manager + ":" + application
	switch {
	case application == "":
		return Manager
	case len(name) > maxManager || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Sprintf("%s:%x", Manager, sha256.Sum256([]byte(application)))
	}
	return name
}

// ApplicationOf returns the application that writes as the manager, "" if it is the name of something else.
func ApplicationOf(manager string) string {
	application, ok := strings.CutPrefix(manager, Manager+":")
	if !ok {
		return ""
	}
	return application
}

// AppliedByOthers returns the other applications that applied the object, if the account records that.
func (o Object) AppliedByOthers(application string) []string {
	var list []string
	for _, e := range o.List("metadata", "managedFields") {
		other := ApplicationOf(e.Text("manager"))
		if other != "" && e.Text("manager") != ManagerOf(application) && e.Text("operation") == "Apply" {
			list = append(list, other)
		}
	}
	return list
}
