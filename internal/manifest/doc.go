// Package manifest turns what users write into objects, and judges and compares objects: it reads files, sets
// namespaces, orders, diffs, seals secrets and says whether an object is ready. It knows no cluster. It imports
// the root package, a YAML parser and a differ; start at [Load] and [Status].
package manifest
