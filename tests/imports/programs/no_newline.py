#!/usr/bin/env python3
# -*- coding: utf-8 -*-
"""Doc

import no
"""
import a