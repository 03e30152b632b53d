"""The campaign: what may happen to a store is made to happen, again and again, by chance.

``make campaign`` runs every part for minutes, ``HOURS=2`` for hours; `tests/test_campaign.py` draws
a little of each, and breaks each by hand to see that it notices. A part is a module with a `run`
that takes a seed and a folder, and gives a `Tally`; the same seed tries the same.

``ledger``      what is saved, and how to tell which of its states a store holds
``disk``        files whose writes are kept, or fail (``disk.c``, loaded before the C library)
``kills``       a process that saves is killed
``power_cuts``  what was not yet synced is lost, or half of it
``disk_faults`` the n-th call of a public method to the disk fails
``interrupts``  Ctrl-C in the middle of a save
``kernels``     Ctrl-C in the midst of a cell of a notebook
``bit_flips``   a bit of the file is another
``repairs``     a part of the file is another, and is repaired
``writers``     several processes save, others read
``isolation``   two at a time, step by step, in every order
``imports``     files of others are damaged
``strangers``   a store whose schema and values a stranger has made
``growth``      the same again and again: memory, files and threads stay as many
"""
