// Package rig runs a receiver of Falco's alerts as a process between a load of alerts and webhooks
// that misbehave, and measures what comes of it. It knows the receiver by what anybody can see: its
// http_output address, its webhooks, and /proc. So the same load, faults and counts work for filelessd
// and for anything else that takes Falco's http_output and posts what it got to a webhook.
//
// Which alert a delivery is about is read from proc.pid, which is different in every alert and which
// neither filelessd nor falcosidekick leaves out of what they post.
package rig
