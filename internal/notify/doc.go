// Package notify tells receivers outside what happens to deployments: signed webhooks that carry CloudEvents, messages
// in the format of Slack, and e-mail.
//
// Each receiver has a [Reader], which reads the ordered feed with a durable cursor. What an event means for a receiver
// is decided in event.go, from the log alone, so that every process that reads the event again says the same under the
// same id. The cursor is put after the receiver has taken a notification: nothing is lost when a process is killed, and
// at most the one notification that was under way is repeated.
//
// It imports the root package, internal/config, internal/engine and internal/outbound. Start reading at [Reader].
package notify
