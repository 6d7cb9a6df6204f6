package ratchet

// takers take in what a message says beside its text, after it was verified. With what is refused the message is read all the
// same (StatementRefused).
var takers = []func(*edit, reading){takeAnswered, takeUpdate, takeIntroduced, takeShown, takeStatement}

// takeIn takes in what a message says beside its text.
func (d *edit) takeIn(l reading) {
	for _, take := range takers {
		take(d, l)
	}
}
