"""Files that set a client up: one configuration of a gateway -> what each kind of client reads.

    gather.py   the loaded configuration, a user -> ClientFacts
    apple.py, windows.py, sswan.py, android.py, networkmanager.py, strongswan.py, ikepy_client.py, page.py
                ClientFacts -> text or octets, pure functions, one module a platform
    bundle.py   which files a platform gets; writing them

Rule 1: what a file says comes from the configuration, so that both agree; a file never says more than the gateway takes.
Rule 2: whatever a name holds, it is data in the file: each module quotes by quoting.py or by its format's own writer.
Rule 3: a password, key or pre-shared key is in a file only where it was asked for, and all files are mode 0600.
Not here: the command (cli/profile.py), what clients send and demand (personas/).
"""
