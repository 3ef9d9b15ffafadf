// Lets the package have a function without a body, which the runtime defines.
