# The tollgate program: its objects beside main. The library of the floors below is linked to it.
