package session

// Limits of the formats and of what is held. What goes beyond one is refused before anything is allocated for it.
const (
	// MaxPlaintext is the size of the largest message, in bytes. An initialization in the deployed form is base64 within
	// JSON within JSON and stays below the 8 MiB that a frame may have.
	MaxPlaintext = 1 << 20

	// MaxDevices is the largest number of devices in one registration.
	MaxDevices = 64

	// MaxSkip is how far ahead of a chain one message may be, and how many keys of skipped messages one ratchet holds; the
	// oldest is dropped for a new one. A message further ahead is retained, and read if what lies between turns up; the
	// peer's next turn passes over the gap.
	//
	// The deployed peer stops at 100 ahead. A chain of which the first 101 messages are lost is then never read again, and
	// its sender, who reads nothing new, never turns. So the limit here is what it costs: 7 ms, and 140 KB until it is used.
	MaxSkip = 2000

	// maxThreads is how many ratchets a pair of devices holds side by side: the one that sends, and older or crossed ones
	// that still read what is in flight. Each more is an initialization by one of the two.
	maxThreads = 8

	// maxSeen is how many initializations of one peer are remembered to refuse their repetition. Only what was
	// authenticated as the peer's counts, so nobody else can push one out.
	maxSeen = 1024

	// maxGenerationStep is how far above all before a peer's generation may be, so that no initialization leaves the
	// pair without a next one.
	maxGenerationStep = 1 << 20

	// maxLate is how far below the newest one an initialization may be that was overtaken. All that were accepted in so
	// few generations are among the maxSeen that are remembered, so none of them is taken for one that was not.
	maxLate = 64

	// maxOneTime is how many unused one-time pre-keys a device holds, the oldest dropped for a new one, and how many lie on
	// a shelf: two megabytes of public keys.
	maxOneTime = 1000

	// maxJSON bounds the deployed peer's JSON: a state with 2,000 skipped keys takes 300 KiB, and one that has erased
	// none of its used ones many times that.
	maxJSON = 8 << 20
)
