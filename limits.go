package trefoil

import "time"

const (
	// defaultEvery is how often is done what is due without a frame. Nothing is urgent within a minute.
	defaultEvery = time.Minute

	// noteEnd is how often is noted that everything stored was read, while nothing asks for it: a commit each time. Requests are
	// answered for a day after it.
	noteEnd = time.Hour

	// maxBatch and maxBatchBytes bound what is received in one commit: as many as a vault takes in one.
	maxBatch      = 128
	maxBatchBytes = 1 << 20

	// maxBuffered and maxBufferedBytes bound the frames in memory that are to be received: a line that brings more waits. As many may
	// be parked, of chats that cannot receive now, for each not more than one batch; what is beyond is left to the relay.
	maxBuffered      = 1024
	maxBufferedBytes = 16 << 20

	// maxUnacknowledged bounds the retained frames whose acknowledgement is remembered. The others come again with the next line
	// and are acknowledged then.
	maxUnacknowledged = 8192

	// maxEnvelope is the longest frame that a relay is given to be kept, 32 KiB: a longer message is only posted. maxCompleted is how often
	// the devices may change before a relay takes the frames for all of them; one that shows others each time ends there.
	maxEnvelope  = 32 << 10
	maxCompleted = 8

	// batchesAtOnce is how many batches a Sync receives before it hands over what came of them: then a commit takes out the events of
	// several batches.
	batchesAtOnce = 4

	// commitWithin is for how long events that were handled may wait to be taken out together, and maxHandled and maxHandledBytes how
	// many of them, so that after a crash few come again.
	commitWithin    = 100 * time.Millisecond
	maxHandled      = batchesAtOnce * maxBatch
	maxHandledBytes = 1 << 20

	// decideTime bounds the commit that takes out what was handled when Run ended.
	decideTime = 10 * time.Second
)
