package datasets

// MadePickle is madePickle for the examples.
var MadePickle = madePickle
