package render

// Columns is how wide a text is.
var Columns = columns
