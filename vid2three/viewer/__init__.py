"""viewer.html: splats and mesh to turn in a browser, in one file that needs nothing else; and a server for it.

`pack` makes splats small, `asset` gathers what is shown, `page` writes it, `serve` shows it on this machine's loopback.
What runs in the browser lies in web/ and is built, by `npm run build` there, into viewer.js and viewer.css.
"""
