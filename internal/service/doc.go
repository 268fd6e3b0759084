// Package service holds the use cases.
package service
