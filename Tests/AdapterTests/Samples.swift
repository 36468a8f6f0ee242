import Model

let us = CountryCode("us")!  // An ISO code.
let de = CountryCode("de")!  // An ISO code.
